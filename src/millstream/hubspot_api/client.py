"""The only module that connects to HubSpot: keep-alive, token, budget, and the difference between failed and unknown."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

from millstream.hubspot_api.budget import Budget
from millstream.hubspot_api.errors import Failure, HubSpotError, Refusal, Unreachable, classify
from millstream.hubspot_api.requests import Request

API_URL: Final = "https://api.hubapi.com"
_MAX_ANSWER: Final = 64 * 1024 * 1024
_DAY_USED_UP: Final = Refusal(
    Failure.DAILY, 429, "our share of the portal's daily quota is used up", policy="DAILY"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body decoded; an empty body is an empty object."""
        return self.read(Any)

    def read(self, kind: Any) -> Any:
        """The body as that type."""
        return msgspec.json.decode(self.body or b"{}", type=kind)


class Client:
    """One portal's connection. `send` waits for the budget, and raises what `errors` describes.

    A day's quota that is used up is raised as HubSpot would: nobody waits in a call until midnight. What backfill may
    take of it is judged where its calls begin (`Budget.quota_s`), so that one that has begun comes to its end.

    Without a token nothing is said of who asks: the track host wants none, and must not be told ours.
    """

    def __init__(
        self,
        token: str | None,
        budget: Budget,
        *,
        base_url: str = API_URL,
        timeout_s: float = 30.0,
        proxy: str | None = None,
        ca_file: str | None = None,
        on_call: Callable[[str, int, float], None] = lambda _family, _status, _seconds: None,
    ) -> None:
        self._token = token
        self.budget = budget
        self._base = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=10)
        self._proxy = proxy
        self._ca_file = ca_file
        self._on_call = on_call
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, *, backfill: bool = False) -> Answer:
        """Send one request. Raises `HubSpotError` (refused) and `Unreachable` (no answer)."""
        loop = asyncio.get_running_loop()
        if left_s := self.budget.quota_s(loop.time()):
            raise HubSpotError(_DAY_USED_UP, left_s)
        while delay := self.budget.delay_s(request.pool, loop.time(), backfill=backfill):  # noqa: ASYNC110  (time, not an event)
            await asyncio.sleep(min(delay, 5.0))
        began = loop.time()
        self.budget.take(request.pool, began, backfill=backfill)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if request.body:
            headers["Content-Type"] = "application/json"
        status = 0
        try:
            async with self._open().request(
                request.method,
                self._base + request.path,
                data=request.body or None,
                params=request.query or None,
                headers=headers,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                status = response.status
                body = await response.content.read(_MAX_ANSWER)
                while not response.content.at_eof() and len(body) < _MAX_ANSWER:
                    body += await response.content.read(_MAX_ANSWER - len(body))
                answered = response.headers
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise Unreachable(f"cannot connect: {error}", certain=True) from None
        except TimeoutError:
            raise Unreachable("no answer in time", certain=False) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"the connection broke: {type(error).__name__}", certain=False) from None
        finally:
            self._on_call(request.family, status, loop.time() - began)
        self.budget.observe(answered, request.pool, loop.time(), began)
        if 200 <= status < 300:
            return Answer(status, body)
        refusal = classify(status, body)
        if refusal.failure in {Failure.LIMITED, Failure.DAILY}:
            wait = answered.get("Retry-After")
            seconds = float(wait) if wait and wait.replace(".", "", 1).isdigit() else None
            wait_s = self.budget.limited(request.pool, refusal.policy, seconds, loop.time())
            raise HubSpotError(refusal, wait_s)
        raise HubSpotError(refusal)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = ssl.create_default_context(cafile=self._ca_file) if self._ca_file else True
            connector = aiohttp.TCPConnector(limit=20, ssl=context, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                auto_decompress=True,
                trust_env=self._proxy is None,
            )
        return self._session
