"""A chat endpoint for a local model on the CPU: its chat template, and greedy decoding or sampling.

Run as `chat_server.py MODEL PORT [LOG]`. It does what `transformers serve` does with a request,
without the packages of the extra `model`. The seed of a sample is that of the request. The file LOG
gets a line when the server starts, and one per reply: model, last message, sample. Where a file
LOG.limit exists, it states the number of lines after which requests wait.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
log = Path(sys.argv[3]) if len(sys.argv) > 3 else None


def write_log(line: str) -> None:
    if log:
        with log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def wait_at_limit() -> None:
    limit = log.with_suffix(".limit") if log else Path()
    while log and limit.is_file() and log.read_text().count("\n") >= int(limit.read_text()):
        time.sleep(0.05)


def sampling_options(temperature: float, request: str) -> dict[str, Any]:
    torch.manual_seed(crc32(request.encode()))
    return {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send(200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        sample = self.headers["x-curator-sample"]
        request = [body["messages"][-1]["content"], sample]
        wait_at_limit()
        try:
            ids = tokenizer.apply_chat_template(
                body["messages"], add_generation_prompt=True, return_tensors="pt"
            )["input_ids"]
        except Exception as error:
            self.send(500, {"error": {"message": str(error)}})
            return
        limit = body["max_tokens"]
        options = {"do_sample": False} | sampling_options(body.get("temperature", 0), str(request))
        new = model.generate(ids, max_new_tokens=limit, **options)[0, ids.shape[1] :]
        text = tokenizer.decode(new, skip_special_tokens=True)
        # An empty reply would be requested again.
        message = {"role": "assistant", "content": text if text.strip() else "nothing"}
        finish = "length" if len(new) == limit else "stop"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        write_log(json.dumps([sys.argv[1], *request]))
        self.send(200, {"id": "1", "object": "chat.completion", "created": 1, "choices": [choice]})

    def send(self, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(HTTPServer):
    request_queue_size = 256  # with Python's default of 5, the kernel drops connections


write_log(f"started {sys.argv[1]}")
Server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
