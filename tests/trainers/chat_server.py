"""A chat endpoint for a local model on the CPU: its chat template, and greedy decoding.

Run as `chat_server.py MODEL PORT`. It does what `transformers serve` does with a request, without
the packages of the extra `model`.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send(200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            ids = tokenizer.apply_chat_template(
                body["messages"], add_generation_prompt=True, return_tensors="pt"
            )["input_ids"]
        except Exception as error:
            self.send(500, {"error": {"message": str(error)}})
            return
        limit = body["max_tokens"]
        new = model.generate(ids, do_sample=False, max_new_tokens=limit)[0, ids.shape[1] :]
        message = {
            "role": "assistant",
            "content": tokenizer.decode(new, skip_special_tokens=True),
        }
        finish = "length" if len(new) == limit else "stop"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        self.send(200, {"id": "1", "object": "chat.completion", "created": 1, "choices": [choice]})

    def send(self, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
