"""Makes `schema.json`: what provider hashicorp/google says about the resources that deploy/terraform uses.

The provider is a program of 100 MB that only HashiCorp's registry hands out. Its schema is also in the npm package
`@cdktf/provider-google` (MPL-2.0), which HashiCorp generated from the provider itself; version 16.12.1 is provider
6.50.0. After a change of what deploy/terraform uses:

    npm pack @cdktf/provider-google@16.12.1 && tar xzf cdktf-provider-google-16.12.1.tgz
    python -m tests.terraform.extract package

Kept is what decides whether a configuration is valid: names, types, what is required, nesting, at most one or many.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

SCHEMA = Path(__file__).with_name("schema.json")
TYPES: dict[str, Any] = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "stringList": ["list", "string"],
    "numberList": ["list", "number"],
    "stringMap": ["map", "string"],
    "numberMap": ["map", "number"],
    "booleanMap": ["map", "bool"],
}
COMPUTED = {"String": "string", "Number": "number", "Boolean": "bool", "List": ["list", "string"]}

ATTRIBUTE = re.compile(
    r"^ +(\w+): \{\n +value: (.*),\n +isBlock: (true|false),\n +type: \"(\w+)\",\n +storageClassType: \"(\w+)\",",
    re.MULTILINE,
)
METHOD_END, FUNCTION_END = re.compile(r"^    \}", re.MULTILINE), re.compile(r"^\}", re.MULTILINE)

MAPPER = re.compile(r"(\w+)ToHclTerraform")
GETTER = re.compile(r"return (?:this|cdktf\.Fn\w*\(this)\.get(String|Number|Boolean|List)Attribute\('(\w+)'\)")


def used(folder: Path) -> list[tuple[str, str]]:
    """Kind (`resource` or `data`) and type of everything that the configuration in `folder` declares."""
    text = "\n".join(path.read_text() for path in folder.glob("*.tf"))
    return sorted(set(re.findall(r'^(resource|data) "(google_\w+)"', text, re.MULTILINE)))


def block_of(package: Path, kind: str, name: str) -> dict[str, Any]:
    """The schema of one resource or data source."""
    folder = name.removeprefix("google_").replace("_", "-")
    folder = f"data-google-{folder}" if kind == "data" else folder
    script = (package / "lib" / folder / "index.js").read_text()
    types = (package / "lib" / folder / "index.d.ts").read_text()
    body = METHOD_END.split(script[script.index("synthesizeHclAttributes()") :])[0]
    [owner] = re.findall(r"interface (\w+) extends cdktf.TerraformMetaArguments", types)
    made = _block(script, types, body, owner)
    main = script[script.rindex("extends cdktf.Terraform") :]
    for kind_, attribute in GETTER.findall(main):
        made["attributes"].setdefault(attribute, {"type": COMPUTED[kind_], "computed": True})
    return made


def _block(script: str, types: str, body: str, interface: str) -> dict[str, Any]:
    required, single = _shape(types, interface)
    attributes: dict[str, Any] = {}
    blocks: dict[str, Any] = {}
    for name, value, is_block, nesting, storage in ATTRIBUTE.findall(body):
        if is_block == "true":
            stem = MAPPER.search(value)
            assert stem is not None, value
            inner = FUNCTION_END.split(script[script.index(f"function {stem[1]}ToHclTerraform(") :])[0]
            nested = _block(script, types, inner, stem[1][0].upper() + stem[1][1:])
            kind = "single" if nesting == "struct" else nesting
            blocks[name] = {"nesting": kind, "min": int(name in required), "max": int(name in single), "block": nested}
        else:
            made = TYPES[storage]
            made = ["set", made[1]] if nesting == "set" else made
            attributes[name] = {"type": made, "required" if name in required else "optional": True}
    return {"attributes": attributes, "blocks": blocks}


def _shape(types: str, interface: str) -> tuple[set[str], set[str]]:
    """Which names of an interface have to be there, and which may be there once only."""
    found = re.search(rf"interface {interface} (?:extends [^\n]*)?\{{\n(.*?)^\}}", types, re.DOTALL | re.MULTILINE)
    assert found is not None, interface
    fields = re.findall(r"^    readonly (\w+)(\??): (.+)$", found[1], re.MULTILINE)
    required = {_snake(name) for name, optional, _type in fields if not optional}
    return required, {_snake(name) for name, _optional, type_ in fields if "[]" not in type_}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)


def main(package: Path) -> None:
    """Write the schema of what deploy/terraform uses."""
    schema: dict[str, Any] = {"provider": "hashicorp/google", "version": "6.50.0", "resource": {}, "data": {}}
    for kind, name in used(ROOT / "deploy" / "terraform"):
        schema[kind][name] = block_of(package, kind, name)
    SCHEMA.write_text(json.dumps(schema, indent=None, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
