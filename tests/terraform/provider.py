"""A stand-in for the Google provider: it serves `schema.json` over Terraform's plugin protocol, and does nothing else.

`terraform validate` asks a provider for its schema, holds the configuration against it by itself (names, types, what is
required, references, expressions), then asks the provider for rules of its own. This one has none: values that only
the real provider judges (that a region exists, that a role is spelt right) are not held here. Run by Terraform as
`terraform-provider-google`, never by hand; the messages are few enough to be written out (tfplugin6.proto).
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}
PROVIDER = {
    "attributes": {name: {"type": "string", "optional": True} for name in ("project", "region", "zone")},
    "blocks": {},
}


def field(number: int, content: bytes | str | int) -> bytes:
    """A field of a protobuf message."""
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    data = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def block(spec: dict[str, Any]) -> bytes:
    """A `Schema.Block`."""
    parts = []
    for name, attribute in sorted(spec["attributes"].items()):
        flags = [("required", 4), ("optional", 5), ("computed", 6)]
        # What may be left out may also be filled in by the provider: whether it is, the source does not say.
        said = {**attribute, "computed": attribute.get("computed") or attribute.get("optional")}
        marks = b"".join(field(number, 1) for flag, number in flags if said.get(flag))
        parts.append(field(2, field(1, name) + field(2, json.dumps(attribute["type"]).encode()) + marks))
    for name, nested in sorted(spec["blocks"].items()):
        limits = field(4, nested["min"]) + field(5, nested["max"]) if nested["nesting"] in ("list", "set") else b""
        made = field(1, name) + field(2, block(nested["block"])) + field(3, NESTING[nested["nesting"]])
        parts.append(field(3, made + limits))
    return b"".join(parts)


def schema(spec: dict[str, Any]) -> bytes:
    """A `Schema`."""
    return field(2, block(spec))


def answer(document: dict[str, Any]) -> bytes:
    """A `GetProviderSchema.Response`."""
    return b"".join(
        [
            field(1, schema(PROVIDER)),
            *(field(2, field(1, name) + field(2, schema(spec))) for name, spec in document["resource"].items()),
            *(field(3, field(1, name) + field(2, schema(spec))) for name, spec in document["data"].items()),
        ]
    )


class Answers(grpc.GenericRpcHandler):  # type: ignore[misc, unused-ignore] # grpc has no types
    """The schema, and an empty message (all is well) to everything else that validation asks."""

    def __init__(self, document: dict[str, Any], ended: threading.Event) -> None:
        self._schema, self._ended = answer(document), ended

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method.rpartition("/")[2]
        if method not in (
            "GetProviderSchema",
            "ValidateProviderConfig",
            "ValidateResourceConfig",
            "ValidateDataResourceConfig",
            "StopProvider",
            "Shutdown",
        ):
            return None

        def reply(_request: bytes, _context: Any) -> bytes:
            if method == "Shutdown":
                self._ended.set()
            return self._schema if method == "GetProviderSchema" else b""

        return grpc.unary_unary_rpc_method_handler(reply)


def main() -> None:
    """Serve until Terraform says that it is over, or is gone."""
    ended = threading.Event()
    document = json.loads(Path(__file__).with_name("schema.json").read_text())
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Answers(document, ended),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"1|6|tcp|127.0.0.1:{port}|grpc\n")
    sys.stdout.flush()
    ended.wait(timeout=60)
    server.stop(grace=0.2).wait()


if __name__ == "__main__":
    main()
