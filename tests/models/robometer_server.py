"""A server with Robometer's `/evaluate_batch_npy`, which misbehaves as the task says; prints its port.

The progress of a sample is the mean brightness of each of its frames, so that a test knows what comes back.
"""

import io
import json
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np


def form(headers, body):
    """Return the files and the fields of a multipart form."""
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    files, fields = {}, {}
    for part in BytesParser().parsebytes(head + body).get_payload():
        name = part.get_param("name", header="Content-Disposition")
        content = part.get_payload(decode=True)
        if part.get_filename():
            files[name] = np.load(io.BytesIO(content))
        else:
            fields[name] = content.decode()
    return files, fields


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        files, fields = form(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
        samples = [json.loads(fields[f"sample_{i}"]) for i in range(len(files))]
        clips = [files[sample["trajectory"]["frames"]["__numpy_file__"]] for sample in samples]
        right = self.path == "/evaluate_batch_npy" and fields["use_frame_steps"] == "false"
        for sample, clip in zip(samples, clips, strict=True):
            right &= sample["sample_type"] == "progress" and clip.dtype == np.uint8
            right &= sample["trajectory"]["frames_shape"] == list(clip.shape)
        task = samples[0]["trajectory"]["task"] if right else "malformed"
        self.give(*reply(task, [clip.mean(axis=(1, 2, 3)) / 255 for clip in clips]))

    def give(self, status, content):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def reply(task, progress):
    if task in ("malformed", "refuse"):
        return 422, f'{{"detail": "{task}"}}'.encode()
    if task == "babble":
        return 200, b"<html>"
    rows = [row.tolist() for row in progress]
    if task == "short":
        rows = rows[:-1]
    if task == "gap":
        rows[0] = []
    said = {"outputs_preference": None, "outputs_progress": {"progress_pred": rows}}
    said["outputs_success"] = None if task == "no opinion" else {"success_probs": [[0.25] for _ in rows]}
    return 200, json.dumps(said).encode()


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
