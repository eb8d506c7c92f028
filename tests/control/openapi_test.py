"""The OpenAPI file that the engine serves is true: its addresses are the routes of the source, and what they answer has the form that it promises."""

import json
import os
import re

import pytest

from lib.paths import ROOT
from tests.control.http_test import TOKEN, Web

NAMES = {"uuid": "00000000-0000-0000-0000-000000000000", "name": "none"}


def routes():
    with open(os.path.join(ROOT, "src", "control", "http_route.c"), encoding="utf-8") as f:
        text = f.read()
    found = re.findall(r'\{ "([A-Z]+)", "([^"]+)", HTTP_([A-Z]+),', text)
    assert len(found) > 20
    return {(method.lower(), path): role.lower() for method, path, role in found} | {("get", "/metrics"): "viewer"}


@pytest.fixture(scope="module")
def document():
    with open(os.path.join(ROOT, "src", "control", "web", "openapi.json"), encoding="utf-8") as f:
        return json.load(f)


def test_it_has_each_route_with_its_role_and_no_other(document):
    said = {(method, re.sub(r"\{[^}]*\}", "*", path)): op["x-role"] for path, ops in document["paths"].items() for method, op in ops.items()}
    assert said == routes()


def test_every_reference_and_parameter_is_there(document):
    for ref in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        at = document
        for part in ref.split("/"):
            at = at[part]
    for path, ops in document["paths"].items():
        for op in ops.values():
            assert set(re.findall(r"\{(\w+)\}", path)) == {p["name"] for p in op.get("parameters", []) if p["in"] == "path"}
            assert op["summary"] and op["tags"][0] in {t["name"] for t in document["tags"]}


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None)}


def check(document, schema, value, where):
    if "$ref" in schema:
        return check(document, document["components"]["schemas"][schema["$ref"].split("/")[-1]], value, where)
    if "oneOf" in schema:
        errors = []
        for one in schema["oneOf"]:
            try:
                return check(document, one, value, where)
            except AssertionError as error:
                errors.append(str(error))
        raise AssertionError(errors)
    allowed = schema.get("type", "object")
    allowed = allowed if isinstance(allowed, list) else [allowed]
    assert any(isinstance(value, TYPES[t]) and not (isinstance(value, bool) and t in ("integer", "number")) for t in allowed), (where, value, allowed)
    assert "enum" not in schema or value in schema["enum"], (where, value)
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), (where, set(schema["required"]) - set(value))
        for name, member in value.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            assert inner is not None or "properties" not in schema, "%s: %s is not documented" % (where, name)
            if inner:
                check(document, inner, member, where + "." + name)
    if isinstance(value, list):
        for member in value:
            check(document, schema["items"], member, where + "[]")


def test_what_the_engine_answers_has_the_promised_form(engine, carrier, document):
    c = carrier(plan="match=* answer after=50ms")
    web = Web(engine, trunks={"acme": {"address": c.where, "cps": 20}})
    e = web.engine
    assert web.ask("/openapi.json", user=None).json == document
    e.write("scripts/hello.lua", "session:answer() session:sleep(60000)")
    e.write("campaigns/demo.lua", 'return { script = "hello.lua", leads = "leads.csv", trunks = { "acme" }, caller_ids = { "15550000" }, window = "always" }')
    e.write("campaigns/leads.csv", "number\n15552000001\n15552000002\n")
    assert e.cli("campaign", "import", "demo").returncode == 0
    assert web.ask("/v1/campaigns/demo/run", "POST", form={}).status == 200
    call = web.ask("/v1/calls", "POST", data={"dial": "sofia/gateway/acme/15550123"}).json
    check(document, document["components"]["schemas"]["Done"], call, "originate")
    names = {"uuid": call["text"], "name": "demo"}
    for path, ops in document["paths"].items():
        if "get" not in ops or path == "/events":
            continue
        for known in (True, False):
            if not known and "{" not in path:
                continue
            real = re.sub(r"\{(\w+)\}", lambda m: (names if known else NAMES)[m[1]], path)
            reply = web.ask(real, token=TOKEN)
            assert str(reply.status) in ops["get"]["responses"], (real, reply.status, reply.text)
            assert (reply.status == 200) == known or real.endswith("/trace"), (real, reply.status)
            answer = ops["get"]["responses"][str(reply.status)]
            answer = document["components"]["responses"]["error"] if "$ref" in answer else answer
            kind, content = next(iter(answer["content"].items()))
            assert reply.headers.get_content_type() == kind
            if kind == "application/json":
                check(document, content["schema"], reply.json, real)
    trace = web.ask("/v1/calls/%s/trace" % call["text"], token=TOKEN).json
    assert trace["messages"][0]["text"].startswith("INVITE sip:15550123@") and trace["media"]["codec"] == "PCMU"
    assert any(r["uuid"] == call["text"] and r["status"] == "200 OK" for r in web.ask("/v1/recent", token=TOKEN).json)
