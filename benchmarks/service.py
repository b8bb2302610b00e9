"""The service under load and under attack, compared with the bare runtime in the same run.

    python benchmarks/service.py runs/mine/best.safetensors pictures/ --json service.json

A service is started, by default with as many workers as there are cores (``--workers 1``: as `lightdet serve` starts
without options). In turn with it, the same pictures go through the bare predictor (`lightdet.load`, one picture after
the other, from encoded bytes) in another process with all cores.
Every answer is compared with the bare predictor's. Then the good requests come again among hostile ones, which a
process of its own sends without a pause, in turn with a quarter as many good ones alone: none may be lost, and the
slowest hundredth may take three times as long. At last hostile requests alone: no 5xx except the intended 503, and the
next good one is answered. ``--keep`` keeps every picture, ``--parts beside`` leaves the other measurements out.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import multiprocessing
import os
import queue
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

BESIDE_TURNS = 4
PARTS = ["load", "beside", "hostile"]
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}
BARE = """
import json, sys, time
import lightdet
model, threads, paths = sys.argv[1], int(sys.argv[2]), sys.stdin.readline().split("\\t")
predictor = lightdet.load(model, confidence=0.1, threads=threads)
pictures = [open(path.strip(), "rb").read() for path in paths]
found = [predictor(picture).as_dicts() for picture in pictures]
print(json.dumps(found), flush=True)
for line in sys.stdin:
    count = int(line)
    began = time.perf_counter()
    for index in range(count):
        predictor(pictures[index % len(pictures)])
    print(count / (time.perf_counter() - began), flush=True)
"""


def main() -> int:
    """Run it; returns 1 where something was lost, wrong or broken."""
    args = arguments()
    paths = sorted(p for p in args.pictures.rglob("*") if p.suffix.lower() in SUFFIXES)[: args.distinct]
    if not paths:
        sys.exit(f"error: no pictures in {args.pictures}")
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads), "MKL_NUM_THREADS": str(args.threads)}
    with tempfile.TemporaryDirectory() as folder, Service(args, Path(folder)) as service:
        bare, pictures = Bare(args, paths, environment), [path.read_bytes() for path in paths]
        result: dict[str, Any] = {}
        if "load" in args.parts:
            result["load"] = load(args, service, bare, pictures)
        bare.close()
        if "beside" in args.parts:
            result["beside"] = beside(args, service, pictures, bare.found)
        if "hostile" in args.parts:
            result["hostile"] = attack(service, args.hostile, pictures[0])
        result["end"] = service.end()
    faults = judge(result, args)
    result["faults"] = faults
    show(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    return 1 if faults else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path, help="folder of pictures")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--hostile", type=int, default=2_000)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--attackers", type=int, default=8, help="clients that send hostile requests beside the others")
    parser.add_argument("--keep", action="store_true", help="keep every picture")
    parser.add_argument("--distinct", type=int, default=100, help="different pictures")
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2)), help="of the bare runtime")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2)), help="processes of the service")
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10, help="service and bare runtime take turns so often")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


class Service:
    """``lightdet serve`` on a free port."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        ready = folder / "ready.json"
        self.log = folder / "log"
        command = [sys.executable, "-m", "lightdet", "serve", str(args.model), "--port", "0", "--json", str(ready)]
        command += ["--database", str(folder / "i.sqlite3"), "--device", "cpu", "--confidence", "0.1"]
        command += ["--workers", str(args.workers), "--concurrency", str(args.concurrency)]
        command += ["--body-timeout", "2", "--max-mib", "16", "--queue", "64"]
        command += ["--keep", "all"] if args.keep else []
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        while not ready.exists():
            if self.process.poll() is not None:
                sys.exit(f"error: the service did not start: {self.log.read_text()}")
            time.sleep(0.05)
        self.port = int(json.loads(ready.read_text())["url"].rstrip("/").rpartition(":")[2])

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def memory(self) -> float:
        """Return the resident memory in MiB, of the workers too."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found = [Path(f"/proc/{each}/status").read_text() for each in (str(pid), *children)]
        return sum(int(status.split("VmRSS:")[1].split()[0]) for status in found) / 1024

    def good(self, picture: bytes) -> bool:
        """Whether a good request is answered."""
        status, _ = post(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60), picture)
        return status == 200

    def end(self) -> dict[str, Any]:
        """End it with SIGTERM."""
        self.process.terminate()
        code = self.process.wait(60)
        return {"exit_code": code, "tracebacks": self.log.read_text().count("Traceback")}


class Bare:
    """The predictor without a service around it, in a process of its own."""

    def __init__(self, args: argparse.Namespace, paths: list[Path], environment: dict[str, str]) -> None:
        command = [sys.executable, "-c", BARE, str(args.model), str(args.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.found = json.loads(self._ask("\t".join(str(path.resolve()) for path in paths)))

    def rate(self, count: int) -> float:
        """Return pictures per second."""
        return float(self._ask(str(count)))

    def _ask(self, line: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def post(connection: http.client.HTTPConnection, picture: bytes) -> tuple[int, Any]:
    """Send a picture; the status and the answer."""
    connection.request("POST", "/api/detect", picture, {"Content-Type": "image/jpeg"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def load(args: argparse.Namespace, service: Service, bare: Bare, pictures: list[bytes]) -> dict[str, Any]:
    """Send the requests from several clients, in turn with the bare runtime."""
    times: list[float] = []
    outcome: Counter[str] = Counter()
    memory: list[tuple[int, float]] = []
    ratios, rates, bare_rates = [], [], []
    each = max(args.clients, args.requests // args.rounds)
    done = 0
    while done < args.requests:
        count = min(each, args.requests - done)
        bare_rate = bare.rate(count)
        began = time.perf_counter()
        _burst(args.clients, service.port, range(done, done + count), pictures, bare.found, times, outcome)
        rate = count / (time.perf_counter() - began)
        done += count
        rates.append(rate)
        bare_rates.append(bare_rate)
        ratios.append(rate / bare_rate)
        memory.append((done, service.memory()))
    times.sort()
    quantile = {f"p{p}": times[min(len(times) - 1, int(len(times) * p / 100))] * 1e3 for p in (50, 95, 99)}
    settled = next((mib for count, mib in memory if count >= min(1000, args.requests / 2)), memory[-1][1])
    return {
        "requests": done,
        "outcome": dict(outcome),
        "per_second": statistics.median(rates),
        "bare_per_second": statistics.median(bare_rates),
        "share_of_bare": statistics.median(ratios),
        "milliseconds": quantile,
        "memory_mib": {"settled": settled, "end": memory[-1][1], "all": memory},
    }


def _burst(
    clients: int,
    port: int,
    numbers: range,
    pictures: list[bytes],
    wanted: list[Any],
    times: list[float],
    outcome: Counter[str],
) -> None:
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        waiting.put(number)

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                connection.close()
                return
            index = number % len(pictures)
            began = time.perf_counter()
            try:
                status, answer = post(connection, pictures[index])
            except (OSError, http.client.HTTPException):
                outcome["lost"] += 1
                connection.close()
                continue
            times.append(time.perf_counter() - began)
            outcome[_judge_answer(status, answer, wanted[index])] += 1

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _judge_answer(status: int, answer: Any, wanted: list[Any]) -> str:
    if status != 200:
        return f"status {status}"
    found = [{k: v for k, v in each.items() if k != "defect"} for each in answer["results"][0]["detections"]]
    if not answer["recorded"]:
        return "not recorded"
    return "right" if found == wanted else "wrong"


# --- hostile requests -------------------------------------------------------------------------------------


def beside(args: argparse.Namespace, service: Service, pictures: list[bytes], wanted: list[Any]) -> dict[str, Any]:
    """Send good requests among hostile ones, in turn with good ones alone."""
    times: dict[bool, list[float]] = {False: [], True: []}
    outcome: Counter[str] = Counter()
    answers: dict[str, Counter[str]] = {kind: Counter() for kind in [*SLOW, *HOSTILE]}
    alone, among = args.requests // (4 * BESIDE_TURNS), args.requests // BESIDE_TURNS
    for turn in range(BESIDE_TURNS):
        _burst(args.clients, service.port, range(alone), pictures, wanted, times[False], outcome)
        with _attackers(args.attackers, turn, service.port, pictures[0], answers):
            _burst(args.clients, service.port, range(among), pictures, wanted, times[True], outcome)
    p99 = {attacked: sorted(each)[int(len(each) * 0.99)] * 1e3 for attacked, each in times.items()}
    return {
        "requests": {"alone": len(times[False]), "among": len(times[True])},
        "outcome": dict(outcome),
        "hostile": sum(sum(each.values()) for each in answers.values()),
        "answers": {kind: dict(counter) for kind, counter in answers.items()},
        "p50": {attacked: statistics.median(each) * 1e3 for attacked, each in times.items()},
        "p99": {"quiet": p99[False], "beside": p99[True], "ratio": p99[True] / p99[False]},
    }


@contextmanager
def _attackers(number: int, seed: int, port: int, good: bytes, answers: dict[str, Counter[str]]) -> Iterator[None]:
    """Send hostile requests from a process of its own, so that the good clients are not slower by it."""
    context = multiprocessing.get_context("fork")
    over, told = context.Event(), context.SimpleQueue()
    process = context.Process(target=_attack_until, args=(number, seed, port, good, over, told))
    process.start()
    try:
        yield
    finally:
        over.set()
        for kind, counter in told.get().items():
            answers[kind].update(counter)
        process.join()


def _attack_until(number: int, seed: int, port: int, good: bytes, over: Any, told: Any) -> None:
    """One client sends what takes long to decode, the others send all kinds in turn."""
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in [*SLOW, *HOSTILE]}

    def send(client: int) -> None:
        draw = random.Random(100 * seed + client)
        kinds = list(SLOW) if client == 0 else list(HOSTILE)
        draw.shuffle(kinds)
        while True:
            for kind in kinds:
                if over.is_set():
                    return
                counts[kind][{**SLOW, **HOSTILE}[kind](port, good, draw.random())] += 1

    with ThreadPoolExecutor(number) as pool:
        list(pool.map(send, range(number)))
    told.put(counts)


def many_scans() -> bytes:
    """A progressive JPEG of 12 megapixels whose last scan is repeated 1500 times."""
    stream = io.BytesIO()
    Image.new("RGB", (4000, 3000), (90, 90, 90)).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    return data[:-2] + data[data.rfind(b"\xff\xda") : -2] * 1500 + data[-2:]


def tiny_frames() -> bytes:
    """A GIF of half a million frames of 4 x 4 pixels."""
    stream = io.BytesIO()
    Image.new("P", (4, 4)).save(stream, "GIF")
    data = stream.getvalue()
    return data[: data.index(b",")] + data[data.index(b",") : -1] * 500_000 + b";"


def large_tiff() -> bytes:
    """A TIFF of 49 megapixels that is a picture."""
    stream = io.BytesIO()
    Image.linear_gradient("L").resize((7000, 7000)).save(stream, "TIFF", compression="tiff_lzw")
    return stream.getvalue()


def attack(service: Service, count: int, good: bytes) -> dict[str, Any]:
    """Send hostile requests from sixteen clients; which kind got which answer."""
    kinds = list(HOSTILE)
    answers: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    draw = random.Random(0)
    jobs = [(kinds[i % len(kinds)], draw.random()) for i in range(count)]

    def one(job: tuple[str, float]) -> None:
        kind, chance = job
        answers[kind][HOSTILE[kind](service.port, good, chance)] += 1

    before = service.memory()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, jobs))
    return {
        "answers": {kind: dict(counter) for kind, counter in answers.items()},
        "alive": service.process.poll() is None,
        "next_good_served": service.good(good),
        "memory_mib": {"before": before, "after": service.memory()},
    }


def _send(port: int, head: str, body: bytes = b"", *, wait: bool = True, pause: float = 0.0) -> str:
    """Send raw bytes; the status that comes back, or how the connection ended."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            try:
                connection.sendall(head.replace("\n", "\r\n").encode())
                for start in range(0, len(body), 1 << 16):
                    connection.sendall(body[start : start + (1 << 16)])
                    time.sleep(pause)
            except OSError:
                pass  # it may answer before all of it was sent
            if not wait:
                return "left"
            data = connection.recv(65536)
            return data.split()[1].decode() if data else "closed"
    except OSError as error:
        return type(error).__name__


def _post(port: int, body: bytes, kind: str = "image/png", promised: int | None = None, **options: Any) -> str:
    length = len(body) if promised is None else promised
    head = f"POST /api/detect HTTP/1.1\nHost: localhost\nContent-Type: {kind}\nContent-Length: {length}\n\n"
    return _send(port, head, body, **options)


def _bomb(width: int, height: int, pixels: bytes = b"\0" * 1000) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def _flipped(data: bytes, chance: float) -> bytes:
    damaged = bytearray(data)
    draw = random.Random(chance)
    for _ in range(20):
        damaged[draw.randrange(len(damaged))] ^= draw.randrange(1, 256)
    return bytes(damaged)


def _form(data: bytes, parts: int) -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n' + data + b"\r\n"
    return part * parts + b"--b--\r\n"


MANY_SCANS, TINY_FRAMES, LARGE_TIFF = many_scans(), tiny_frames(), large_tiff()
BLACK = _bomb(6_000, 6_000, bytes(108_006_000))
SLOW = {
    "many scans, again": lambda port, good, chance: _post(port, MANY_SCANS),
    "many frames": lambda port, good, chance: _post(port, TINY_FRAMES),
    "large TIFF": lambda port, good, chance: _post(port, LARGE_TIFF),
}
HOSTILE = {
    "truncated": lambda port, good, chance: _post(port, good[: int(len(good) * chance)] or b"x"),
    "damaged": lambda port, good, chance: _post(port, _flipped(good, chance)),
    "noise": lambda port, good, chance: _post(port, random.Random(chance).randbytes(5000)),
    "empty": lambda port, good, chance: _post(port, b""),
    "too many bytes": lambda port, good, chance: _post(port, bytes(20 << 20)),
    "promises too many bytes": lambda port, good, chance: _post(port, good, promised=10**15),
    "promises too many pixels": lambda port, good, chance: _post(port, _bomb(50_000, 50_000)),
    "unpacks to many pixels": lambda port, good, chance: _post(port, BLACK),
    "many scans": lambda port, good, chance: _post(port, MANY_SCANS),
    "wrong type": lambda port, good, chance: _post(port, good, "application/json"),
    "form without boundary": lambda port, good, chance: _post(port, good, "multipart/form-data"),
    "broken form": lambda port, good, chance: _post(port, _form(good, 2)[:-20], "multipart/form-data; boundary=b"),
    "too many parts": lambda port, good, chance: _post(port, _form(b"x", 500), "multipart/form-data; boundary=b"),
    "no http": lambda port, good, chance: _send(port, "\0\1\2\3 hello\n\n"),
    "long head": lambda port, good, chance: _send(port, "GET / HTTP/1.1\nX: " + "y" * 200_000 + "\n\n"),
    "wrong length": lambda port, good, chance: _send(
        port, "POST /api/detect HTTP/1.1\nHost: x\nContent-Length: -1\n\n"
    ),
    "foreign name": lambda port, good, chance: _send(port, "POST /api/detect HTTP/1.1\nHost: evil.example\n\n"),
    "wrong path": lambda port, good, chance: _send(port, "GET /static/..%2f..%2fapp.py HTTP/1.1\nHost: localhost\n\n"),
    "wrong parameter": lambda port, good, chance: _send(
        port, "POST /api/detect?threshold=1e999 HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n"
    ),
    "broken off": lambda port, good, chance: _post(port, good[: int(len(good) * chance)], promised=10**6, wait=False),
    "slow": lambda port, good, chance: _post(port, good[:300], promised=len(good), pause=0.01),
}


PERHAPS_GOOD = ("damaged", "truncated", "unpacks to many pixels", "large TIFF")
"""Hostile, and yet perhaps a picture."""


def judge(result: dict[str, Any], args: argparse.Namespace) -> list[str]:
    """Say which goals were missed."""
    faults = []
    if load := result.get("load"):
        faults += [f"{n} requests {what}" for what, n in load["outcome"].items() if what != "right"]
        memory = load["memory_mib"]
        if memory["end"] > 1.05 * memory["settled"]:
            faults.append(f"memory rose from {memory['settled']:.0f} to {memory['end']:.0f} MiB")
        if load["share_of_bare"] < 0.85:
            faults.append(f"throughput is {load['share_of_bare']:.2f} of the bare runtime's")
    if beside := result.get("beside"):
        faults += [
            f"{n} requests {what} among hostile ones" for what, n in beside["outcome"].items() if what != "right"
        ]
        if beside["p99"]["ratio"] > 3:
            faults.append(f"p99 is {beside['p99']['ratio']:.1f} times as long among hostile requests")
    for part in filter(None, (result.get("beside"), result.get("hostile"))):
        for kind, answers in part["answers"].items():
            faults += [f"{kind}: {n} times {a}" for a, n in answers.items() if a.startswith("5") and a != "503"]
            if kind not in PERHAPS_GOOD and "200" in answers:
                faults.append(f"{kind}: {answers['200']} times taken for good")
    if (hostile := result.get("hostile")) and not (hostile["alive"] and hostile["next_good_served"]):
        faults.append("the service did not outlive the hostile requests")
    if result["end"] != {"exit_code": 0, "tracebacks": 0}:
        faults.append(f"it did not end cleanly: {result['end']}")
    return faults


def show(result: dict[str, Any]) -> None:
    """Print what was found."""
    if load := result.get("load"):
        print(f"{load['requests']} requests: {load['outcome']}")
        print(f"{load['per_second']:.1f}/s, bare {load['bare_per_second']:.1f}/s, ratio {load['share_of_bare']:.3f}")
        print("ms: " + ", ".join(f"{name} {value:.1f}" for name, value in load["milliseconds"].items()))
        print(f"memory MiB: settled {load['memory_mib']['settled']:.0f}, end {load['memory_mib']['end']:.0f}")
    if beside := result.get("beside"):
        p99 = beside["p99"]
        print(f"{beside['requests']} good requests, {beside['hostile']} hostile ones beside them: {beside['outcome']}")
        print(f"p99 ms: alone {p99['quiet']:.1f}, among hostile ones {p99['beside']:.1f}, ratio {p99['ratio']:.2f}")
    for part in filter(None, (result.get("beside"), result.get("hostile"))):
        for kind, answers in part["answers"].items():
            print(f"  {kind}: {answers}")
    if hostile := result.get("hostile"):
        print(f"after them: alive {hostile['alive']}, served {hostile['next_good_served']}")
    print("faults:", "; ".join(result["faults"]) or "none")


if __name__ == "__main__":
    sys.exit(main())
