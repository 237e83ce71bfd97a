"""Judges that say what a test wants them to, and keep what they were asked."""

from __future__ import annotations

from eyechart.errors import JudgeError
from eyechart.scoring.judge import JudgeRequest


class JudgeInTurn:
    """Gives one reply after the other, whatever it is asked.

    Attributes:
        replies: those that are left; an exhausted judge may not be asked.
        requests: what it was asked, in order.
    """

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.requests: list[JudgeRequest] = []

    async def __call__(self, request: JudgeRequest) -> str:
        self.requests.append(request)
        return self.replies.pop(0)


class JudgeOfSamples:
    """Says what stands for the sample, or else the same of every one; where neither is given it may not be asked.

    Attributes:
        requests: what it was asked, in order.
    """

    def __init__(self, reply: str | None = None, **replies: str) -> None:
        self.reply = reply
        self.replies = replies
        self.requests: list[JudgeRequest] = []

    async def __call__(self, request: JudgeRequest) -> str:
        self.requests.append(request)
        reply = self.replies.get(request.index, self.reply)
        assert reply is not None, f"asked about {request.index}"
        return reply

    @property
    def asked(self) -> list[str]:
        """Indices of the samples that it was asked about."""
        return [request.index for request in self.requests]


async def judge_out_of_reach(_: JudgeRequest) -> str:
    raise JudgeError("gone")
