"""Teachers: chat models behind OpenAI-compatible endpoints, every call of which is kept.

In: Requests. Out: Calls, durable in a ledger before anybody uses them, asked at most once.
"""

from curator.teacher.call import Call, Message, Request, parameters
from curator.teacher.config import Budget, Prices, Sampling, TeacherSettings

__all__ = [
    "Budget",
    "Call",
    "Message",
    "Prices",
    "Request",
    "Sampling",
    "TeacherSettings",
    "parameters",
]
