"""Whether values have the shape of a definition, with every misshape at once and a shape to go on with.

The types of `statemachine/definition.py` are the schema; `jsonschema` compares. What does not fit is reported and stood
in for, so that the rules of soundness can judge the rest in the same go.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

import msgspec
from jsonschema import Draft202012Validator, ValidationError, validators
from jsonschema.protocols import Validator
from msgspec import Struct

from statemachine.definition import Definition
from statemachine.soundness import Finding, Place, did_you_mean

_WANTED = {
    "string": "text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table",
}
_SAID = ((bool, "true or false"), (str, "text"), (int, "a number"), (float, "a number"), (list, "a list"))


class Shaped(Struct, frozen=True, kw_only=True):
    """Values that have the right shape, what had to be done for it, and where."""

    values: dict[str, Any]
    findings: tuple[Finding, ...]
    mended: tuple[Place, ...]


def shaped(values: dict[str, Any]) -> Shaped:
    """`values` in the shape of a definition, with what did not fit."""
    values = deepcopy(values)
    findings: list[Finding] = []
    mended: list[Place] = []
    for error in list(_VALIDATOR.iter_errors(values)):
        place = tuple(error.absolute_path)
        for key, message, at in _mend(values, error):
            findings.append(((*place, at) if at else place, message))
            mended.append((*place, key) if key else place)
    return Shaped(values=values, findings=tuple(findings), mended=tuple(mended))


def _mend(values: dict[str, Any], error: ValidationError) -> list[tuple[str, str, str]]:
    """Mends what an error is about: (key that was touched, message, key it is said at); no key: the value itself."""
    schema = cast("dict[str, Any]", error.schema)
    if error.validator == "additionalProperties":
        table = cast("dict[str, Any]", error.instance)
        unknown = [key for key in table if key not in schema["properties"]]
        for key in unknown:
            del table[key]
        return [_unknown_key(key, schema) for key in unknown]
    if error.validator == "required":
        table = cast("dict[str, Any]", error.instance)
        missing = [key for key in schema["required"] if key not in table]
        for key in missing:
            table[key] = _stand_in(schema["properties"][key])
        return [(key, f"`{key}` is missing: {_wanted(schema['properties'][key])}", "") for key in missing]
    holder: Any = values
    for part in list(error.absolute_path)[:-1]:
        holder = holder[part]
    if error.absolute_path:
        holder[error.absolute_path[-1]] = _stand_in(schema)
    return [("", f"has to be {_wanted(schema)}, not {_said(error.instance)}", "")]


def _unknown_key(key: str, schema: dict[str, Any]) -> tuple[str, str, str]:
    known = schema["properties"]
    near = did_you_mean(key, known)
    meant = near.split("`")[1] if near else key
    return meant, f"unknown key `{key}`{near or '; known are ' + ', '.join(sorted(known))}", key


def _wanted(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(f'"{item}"' for item in schema["enum"])
    return _WANTED["object" if "$ref" in schema else schema["type"]]


def _said(value: Any) -> str:
    if isinstance(value, str | bool | int | float):
        return f'"{value}"' if isinstance(value, str) else str(value).lower()
    return next((name for kind, name in _SAID if isinstance(value, kind)), "a table")


def _stand_in(schema: dict[str, Any]) -> Any:
    """The plainest value that a schema accepts."""
    if "default" in schema:
        return deepcopy(schema["default"])
    if "$ref" in schema:
        schema = _DEFINITIONS[schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        return {key: _stand_in(schema["properties"][key]) for key in schema.get("required", ())}
    if "enum" in schema:
        return schema["enum"][0]
    return {"string": "", "integer": 0, "number": 0.0, "boolean": False, "array": [], "object": {}}[schema["type"]]


def _without_null(schema: Any) -> Any:
    """The schema without null, for TOML has none: a key that is not there is not there."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "anyOf" in schema:
        kinds = [item for item in schema["anyOf"] if item != {"type": "null"}]
        return _without_null({**kinds[0], **{key: item for key, item in schema.items() if key != "anyOf"}})
    return {key: _without_null(item) for key, item in schema.items()}


def _schema() -> dict[str, Any]:
    schema = cast("dict[str, Any]", _without_null(msgspec.json.schema(Definition)))
    del schema["$defs"]["Definition"]["properties"]["overrides"]  # they come from the environment, never from a file
    return schema


_SCHEMA = _schema()
_DEFINITIONS: dict[str, Any] = _SCHEMA["$defs"]
_WHOLE = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
_STRICT = validators.extend(Draft202012Validator, type_checker=_WHOLE)  # type: ignore[no-untyped-call]
_VALIDATOR: Validator = _STRICT(_SCHEMA)
