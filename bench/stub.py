"""The four agencies of the benchmark where the shared one is not there: constant records by id.

`GET /SOURCE/persons/ID` answers one record, `POST /SOURCE/persons/query` those of `ids`; the
items asked for are not looked at. With `--delay-ms` each answer is held back so long.
"""

from __future__ import annotations

import argparse
import asyncio

import httptools
import orjson
import uvloop

_RECORDS = {
    "resident": {
        "id": "@",
        "name": "Recipient @",
        "birthDate": "1961-04-17",
        "district": "Nowhere-gu (0000000)",
        "household": {
            "size": 3,
            "members": [
                {"name": f"The {which} member of the household of @", "relation": relation}
                for which, relation in (("first", "head"), ("second", "spouse"), ("third", "child"))
            ],
        },
    },
    "tax": {
        "id": "@",
        "taxpayerNumber": "T-@",
        "assessmentYear": 2025,
        "totalIncome": 21_480_000,
        "taxableIncome": 15_230_000,
        "taxPaid": 913_800,
        "arrears": 0,
        "effectiveRate": 0.06,
        "filingStatus": "filed and assessed",
        "payments": [
            {"kind": f"kind {kind} of payment, withheld at source", "amount": amount, "year": 2025}
            for kind, amount in enumerate((14_400_000, 3_480_000, 120_000, 3_480_000))
        ],
    },
    "labour": {
        "id": "@",
        "employmentStatus": "insured, part time",
        "insuredMonths": 143,
        "lastWage": 1_200_000,
        "unemploymentBenefit": 0,
        "weeklyHours": 22.5,
        "accidentClaims": 1,
        "trainingHours": 36,
        "insuranceOffice": "Employment office of the eastern districts",
        "jobs": [
            {"employer": f"Cooperative number {n}, Limited", "start": start, "wage": wage}
            for n, (start, wage) in enumerate(
                (("2023-03-02", 1_200_000), ("2019-09-16", 1_950_000), ("2014-01-06", 1_430_000))
            )
        ],
    },
    "property": {
        "id": "@",
        "ownerKind": "natural person, sole owner",
        "totalValue": 89_400_000,
        "landValue": 12_400_000,
        "buildingValue": 71_000_000,
        "vehicleValue": 6_000_000,
        "lienCount": 1,
        "holdings": [
            {"kind": f"kind {kind} of holding", "value": value, "district": "Nowhere-gu"}
            for kind, value in enumerate((71_000_000, 8_400_000, 4_000_000, 6_000_000))
        ],
    },
}
_PARTS = {name: orjson.dumps(record).split(b"@") for name, record in _RECORDS.items()}
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection: requests in, answers out after the given time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read requests from it."""
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Some more of a request."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        """A part of its address."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer it, at once or by and by."""
        _, source, _, last = self._url.decode().split("/")
        parts = _PARTS[source]
        if last == "query":
            ids = [one.encode() for one in orjson.loads(self._body)["ids"]]
            answer = b'{"persons":[' + b",".join(one.join(parts) for one in ids) + b"]}"
        else:
            answer = last.encode().join(parts)
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._send, answer)
        else:
            self._send(answer)

    def _send(self, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(_HEAD % len(body) + body)  # type: ignore[attr-defined]


async def _serve(port: int, seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(seconds), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=0)
    options = parser.parse_args()
    uvloop.run(_serve(options.port, options.delay_ms / 1000))
