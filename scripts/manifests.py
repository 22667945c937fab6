"""Checks that each file named parses as YAML and that a compose file names its services."""

import pathlib
import sys

import yaml

for name in sys.argv[1:]:
    document = yaml.safe_load(pathlib.Path(name).read_text())
    services = document.get("services")
    if not services:
        sys.exit(f"{name}: no services")
    for service, body in services.items():
        if not ("image" in body or "build" in body):
            sys.exit(f"{name}: service {service} has neither image nor build")
    print(f"{name}: {', '.join(services)}")
