"""A chat endpoint that samples from a small model on the CPU, with the seed of the request.

Run as `model_server.py MODEL PORT LOG`. Each reply is a line of the file LOG: model, last message,
sample. Where a file LOG.limit exists, it states the number of lines after which requests wait.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from zlib import crc32

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, port, log = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
with log.open("a", encoding="utf-8") as file:
    file.write("started\n")


def wait_at_limit() -> None:
    limit = log.with_suffix(".limit")
    while limit.exists() and log.read_text().count("\n") >= int(limit.read_text()):
        time.sleep(0.05)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send({})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wait_at_limit()
        name = [folder, body["messages"][-1]["content"], self.headers["x-curator-sample"]]
        torch.manual_seed(crc32(json.dumps(name).encode()))
        ids = tokenizer.apply_chat_template(
            body["messages"], add_generation_prompt=True, return_tensors="pt"
        )["input_ids"]
        sampling = {"do_sample": True, "temperature": body["temperature"], "top_k": 0}
        new = model.generate(
            ids,
            max_new_tokens=body["max_tokens"],
            **(sampling if body["temperature"] else {"do_sample": False}),
        )[0, ids.shape[1] :]
        text = tokenizer.decode(new, skip_special_tokens=True)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.send({"id": "1", "object": "chat.completion", "created": 1, "choices": [choice]})
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(name) + "\n")

    def send(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


HTTPServer(("127.0.0.1", port), Handler).serve_forever()
