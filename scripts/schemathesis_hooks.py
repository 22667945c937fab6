"""What schemathesis has to know of this API beyond its document: how to sign in, and which ids
lead somewhere."""

import json
import os
import urllib.request

import schemathesis
from schemathesis import GenerationMode

URL = os.environ["CHASQUI_URL"]
SIGNING_OUT = {("POST", "/logout"), ("DELETE", "/devices/{device}")}
WAIT_SECONDS_MAX = 25
NUMBER_MAX = 2**53 - 1


def post(path, document, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(URL + path, json.dumps(document).encode(), headers)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def account():
    name = "schemathesis-" + os.urandom(6).hex()
    return {"username": name, "password": "correct horse"}


ACCOUNT = account()
SIGNED_IN = post("/register", ACCOUNT)
SELF, DEVICE, TOKEN = (SIGNED_IN[name] for name in ("user", "device", "access_token"))
USER = post("/register", account())["user"]
GROUP = {"kind": "group", "title": "schemathesis", "members": [USER], "client_id": 1}
CHAT = post("/chats", GROUP, TOKEN)["chat"]
LIVE = {"chat": CHAT, "user": USER}


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """The token of the run's account; where a request may sign its device out, a token of its own."""

    def get(self, case, context):
        operation = context.operation
        if (operation.method.upper(), operation.path) in SIGNING_OUT:
            return post("/login", ACCOUNT)["access_token"]
        return TOKEN

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


def number(value):
    """The id that a field or a path holds, or None."""
    if type(value) is str and value.isascii() and value.isdigit():
        value = int(value)
    return value if type(value) is int and 1 <= value <= NUMBER_MAX else None


def live(value, known):
    """An id that exists instead of a well-formed even one; odd ones are left to be unknown. Nobody
    is their own contact, so the run's own user stands for the other one too."""
    id = number(value)
    return known if id and (id % 2 == 0 or id == SELF) else value


def lead_somewhere(fields):
    for name, known in LIVE.items():
        if name in fields:
            fields[name] = live(fields[name], known)
    for name in ("members", "users", "mentions"):
        if isinstance(fields.get(name), list):
            fields[name] = [live(value, USER) for value in fields[name]]


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.path_parameters or {}
    for fields in (path, case.body):
        if isinstance(fields, dict):
            lead_somewhere(fields)
    # Of the chats that the run has seen only groups have members that change.
    if "/members" in case.operation.path and number(path.get("chat")):
        path["chat"] = CHAT
    # The device that everything else is asked from stays.
    if number(path.get("device")) == DEVICE:
        path["device"] = 1
    # No file has been stored that a good message could carry, and it answers an entry that there is: the
    # first. How many others there are depends on what came before.
    good = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if good and isinstance(case.body, dict):
        if case.body.get("attachments"):
            case.body["attachments"] = []
        if number(case.body.get("reply_to")):
            case.body["reply_to"] = 1
    # There is nothing to wait for.
    if case.operation.path == "/message/receive":
        for fields in (case.query, case.body):
            wait = fields.get("wait") if isinstance(fields, dict) else None
            if type(wait) is int and 0 < wait <= WAIT_SECONDS_MAX:
                fields["wait"] = 0
