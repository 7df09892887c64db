"""Teachers: chat models behind OpenAI-compatible endpoints, with a permanent cache of calls.

In: Requests. Out: Calls. A reply is stored durably before it is used, and no request is paid twice.
"""

from curator.teacher.call import Call, EmbeddingRequest, Request, parameters
from curator.teacher.config import (
    Budget,
    EmbeddingSettings,
    Prices,
    Sampling,
    TeacherSettings,
)
from curator.teacher.messages import Message

__all__ = [
    "Budget",
    "Call",
    "EmbeddingRequest",
    "EmbeddingSettings",
    "Message",
    "Prices",
    "Request",
    "Sampling",
    "TeacherSettings",
    "parameters",
]
