"""Checks what no schema says of the Dockerfile and the compose file, without an engine.

    manifests.py CHASQUI Dockerfile docker-compose.yml

Every command they give chasqui is one that it knows, and every setting one that it takes; images name
their version; what is waited for exists and can be found healthy.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import yaml


def fail(reason):
    sys.exit(f"{reason}")


def run(chasqui, arguments, environment):
    """Stops if chasqui refuses the arguments; with `--help` nothing is done."""
    base = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [chasqui, *arguments], env=base | environment, capture_output=True, text=True
    )
    if done.returncode:
        fail(f"chasqui {shlex.join(arguments)}: {done.stderr.strip()}")


def read_dockerfile(path):
    """The settings and commands of the last stage."""
    lines = re.sub(r"\\\n", " ", path.read_text()).splitlines()
    start = max(index for index, line in enumerate(lines) if line.startswith("FROM "))
    environment, commands = {}, {}
    for line in lines[start:]:
        instruction, _, rest = line.partition(" ")
        if instruction == "ENV":
            environment |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif instruction in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
            commands[instruction] = json.loads(rest[rest.index("[") :])
    if commands["ENTRYPOINT"] != ["chasqui"] or commands["HEALTHCHECK"][0] != "chasqui":
        fail(f"{path}: something else than chasqui is run")
    return environment, commands["CMD"], commands["HEALTHCHECK"][1:]


def check_image(name, service):
    """An image of someone else names its version."""
    image = service.get("image", "")
    if "build" not in service and not re.search(r":v?\d+\.\d+\.\d+[^/]*$", image):
        fail(f"service {name}: {image or 'no image'} names no version")


def check_dependencies(name, service, services):
    """Whatever is waited for is there, and what must be healthy can be."""
    for other, how in service.get("depends_on", {}).items():
        if other not in services:
            fail(f"service {name} waits for {other}, which does not exist")
        target = services[other]
        if how["condition"] == "service_healthy" and not {"healthcheck", "build"} & target.keys():
            fail(f"service {name} waits for {other} to be healthy, which nobody checks")
        if how["condition"] == "service_completed_successfully" and target.get("restart") != "no":
            fail(f"service {name} waits for {other} to end, which would be started again")


def main():
    chasqui, dockerfile, compose = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
    environment, command, healthcheck = read_dockerfile(dockerfile)
    run(chasqui, [*healthcheck, "--help"], {})
    services = yaml.safe_load(compose.read_text())["services"]
    for name, service in services.items():
        check_image(name, service)
        check_dependencies(name, service, services)
        if "build" in service:
            own = {key: str(value) for key, value in service.get("environment", {}).items()}
            run(chasqui, ["config", "check"], environment | own)
            run(chasqui, [*service.get("command", command), "--help"], {})
    print(f"{dockerfile}, {compose}: {', '.join(services)}")


main()
