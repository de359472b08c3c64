"""Archives that nobody should accept, by what is wrong with them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

Files = dict[str, bytes]


def tar(files: Files, mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def zipped(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def with_manifest(files: Files, **changes) -> Files:
    manifest = json.loads(files["submission.json"])
    for path, value in changes.items():
        *outer, last = path.split("__")
        place = manifest
        for name in outer:
            place = place[name]
        place[last] = value
    return {**files, "submission.json": json.dumps(manifest).encode()}


def with_predictions(files: Files, content: bytes, **changes) -> Files:
    digest = hashlib.sha256(content).hexdigest()
    changed = with_manifest(files, predictions__sha256=digest, **changes)
    return {**changed, "predictions.npz": content}


def link(files: Files, kind: bytes, target: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("submission.json")
        member.type, member.linkname = kind, target
        archive.addfile(member)
        other = tarfile.TarInfo("predictions.npz")
        other.size = len(files["predictions.npz"])
        archive.addfile(other, io.BytesIO(files["predictions.npz"]))
    return out.getvalue()


def zip_link(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        member = zipfile.ZipInfo("submission.json")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
        archive.writestr("predictions.npz", files["predictions.npz"])
    return out.getvalue()


def pax_bomb() -> bytes:
    """A tar file whose extended header claims gigabytes."""
    member = tarfile.TarInfo("submission.json")
    member.type, member.size = tarfile.XHDTYPE, 8_000_000_000
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


class _Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/hepgym-was-here",))


def pickled_npz() -> bytes:
    out = io.BytesIO()
    array = np.array([_Evil()], dtype=object)
    with zipfile.ZipFile(out, "w") as archive:
        for role in ("signal", "background"):
            content = io.BytesIO()
            header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
            np.lib.format.write_array_header_1_0(content, header)
            archive.writestr(f"{role}.npy", content.getvalue() + pickle.dumps(array))
    return out.getvalue()


def absurd_npz() -> bytes:
    """Arrays whose headers claim terabytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for role in ("signal", "background"):
            content = io.BytesIO()
            header = {"descr": "|u1", "fortran_order": False, "shape": (10**13,)}
            np.lib.format.write_array_header_1_0(content, header)
            archive.writestr(f"{role}.npy", content.getvalue())
    return out.getvalue()


def numbers_npz(value: float, files: Files) -> bytes:
    sizes = json.loads(files["submission.json"])["predictions"]["sizes"]
    out = io.BytesIO()
    np.savez(out, **{role: np.full(size, value) for role, size in sizes.items()})
    return out.getvalue()


def as_numbers(files: Files, value: float) -> Files:
    """Predictions that are numbers, and a manifest that says so."""
    sizes = json.loads(files["submission.json"])["predictions"]["sizes"]
    shapes = {role: [size] for role, size in sizes.items()}
    content = numbers_npz(value, files)
    return with_predictions(files, content, predictions__sizes={}, predictions__shapes=shapes)


def parquet_with_absurd_size() -> bytes:
    """A Parquet footer that claims to be 2 GB."""
    return b"PAR1" + bytes(64) + struct.pack("<I", 2_000_000_000) + b"PAR1"


def root_with_absurd_size() -> bytes:
    """A ROOT header whose first key lies far behind the end of the file."""
    return b"root" + struct.pack(">IIQ", 1_062_406, 100, 2**60) + bytes(200)


def keras_model(config: dict) -> bytes:
    return zipped(
        {
            "metadata.json": b"{}",
            "config.json": json.dumps(config).encode(),
            "model.weights.h5": b"\x89HDF\r\n\x1a\n",
        }
    )


LAMBDA = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "layers": [
            {
                "module": "keras.layers",
                "class_name": "Lambda",
                "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAA"}}},
            }
        ]
    },
}


def cases() -> dict[str, tuple[Callable[[Files], bytes], str]]:
    """Name to a function that makes the archive from a good submission's files, and the refusal."""
    return {
        "nothing": (lambda good: b"", "cannot be read|holds no submission"),
        "noise": (lambda good: np.random.default_rng(0).bytes(5000), "archive"),
        "text": (lambda good: b"hello" * 500, "archive"),
        "cut zip": (lambda good: zipped(good)[:-30], "cut short"),
        "cut gzip": (lambda good: gzip.compress(tar(good))[:-400], "cut short|cannot be read"),
        "empty tar": (lambda good: tar({}), "holds no submission.json"),
        "one file": (
            lambda good: tar({"submission.json": good["submission.json"]}),
            "holds no predictions.npz",
        ),
        "climbs up": (lambda good: tar({**good, "../evil": b"x"}), "leads out of its folder"),
        "climbs up, zip": (
            lambda good: zipped({**good, "../../e": b""}),
            "leads out of its folder",
        ),
        "absolute": (lambda good: tar({**good, "/etc/cron.d/x": b""}), "leads out of its folder"),
        "backslash": (lambda good: tar({**good, "..\\evil": b""}), "leads out of its folder"),
        "drive": (lambda good: tar({**good, "C:/evil": b""}), "leads out of its folder"),
        "symlink": (lambda good: link(good, tarfile.SYMTYPE, "/etc/passwd"), "a link"),
        "hard link": (lambda good: link(good, tarfile.LNKTYPE, "predictions.npz"), "a link"),
        "device": (lambda good: link(good, tarfile.CHRTYPE, ""), "no regular file"),
        "pipe": (lambda good: link(good, tarfile.FIFOTYPE, ""), "no regular file"),
        "zip symlink": (zip_link, "a link"),
        "unknown file": (lambda good: tar({**good, "run.py": b"print()"}), "unexpected file"),
        "two folders": (
            lambda good: tar({f"{n[0]}/{n}": content for n, content in good.items()}),
            "several folders",
        ),
        "deep": (lambda good: tar({f"a/b/{n}": c for n, c in good.items()}), "only one folder"),
        "gzip bomb": (
            lambda good: gzip.compress(tar({**good, "log.jsonl": bytes(12_000_000)}), 1),
            "unpacks to more than",
        ),
        "zip bomb": (
            lambda good: zipped({**good, "log.jsonl": bytes(12_000_000)}),
            "unpacks to more than",
        ),
        "thousands, tar": (
            lambda good: gzip.compress(tar({f"{n}": b"" for n in range(5000)})),
            "unexpected file|entries",
        ),
        "thousands, zip": (lambda good: zipped({str(n): b"" for n in range(5000)}), "too many"),
        "folders only": (
            lambda good: tar_folders(100),
            "more than",
        ),
        "pax bomb": (lambda good: pax_bomb(), "cannot be read|holds no"),
        "encrypted-looking zip": (lambda good: flagged(zipped(good)), "cannot be read"),
        "pickle": (lambda good: tar(with_predictions(good, pickled_npz())), "pickled objects"),
        "absurd array": (lambda good: tar(with_predictions(good, absurd_npz())), "bytes|values"),
        "parquet as predictions": (
            lambda good: tar(with_predictions(good, parquet_with_absurd_size())),
            "not an archive of arrays",
        ),
        "root as predictions": (
            lambda good: tar(with_predictions(good, root_with_absurd_size())),
            "not an archive of arrays",
        ),
        "root file": (
            lambda good: tar({**good, "events.root": root_with_absurd_size()}),
            "unexpected file",
        ),
        "parquet file": (
            lambda good: tar({**good, "p.parquet": parquet_with_absurd_size()}),
            "unexpected file",
        ),
        "numbers instead of bits": (
            lambda good: tar(with_predictions(good, numbers_npz(0.5, good))),
            "type float64",
        ),
        "NaN": (lambda good: tar(as_numbers(good, np.nan)), "NaN or an infinity"),
        "infinity": (lambda good: tar(as_numbers(good, np.inf)), "NaN or an infinity"),
        "altered": (lambda good: tar({**good, "predictions.npz": b"PK"}), "SHA-256"),
        "NaN in JSON": (
            lambda good: tar(
                {**good, "submission.json": good["submission.json"].replace(b"0.1,", b"NaN,", 1)}
            ),
            "NaN|finite",
        ),
        "enormous JSON": (
            lambda good: tar(with_manifest(good, description="x" * 2_000_000)),
            "unpacks to more than",
        ),
        "deep JSON": (
            lambda good: tar({**good, "submission.json": b"[" * 100_000 + b"]" * 100_000}),
            "is not JSON|nested",
        ),
        "not JSON": (lambda good: tar({**good, "submission.json": b"\xff\xfe"}), "is not JSON"),
        "unknown task": (lambda good: tar(with_manifest(good, task="Chess-v0")), "unknown task"),
        "markup in the agent": (
            lambda good: tar(with_manifest(good, agent="<script>alert(1)</script>")),
            "may not contain",
        ),
        "markup in an author": (
            lambda good: tar(with_manifest(good, authors=["<b>me</b>"])),
            "may not contain",
        ),
        "markup in a setting": (
            lambda good: tar(with_manifest(good, hyperparameters={"<img src=x>": 1})),
            "may not contain",
        ),
        "bidirectional text": (
            lambda good: tar(with_manifest(good, agent="a\u202eb")),
            "control character",
        ),
        "huge integer": (
            lambda good: tar(with_manifest(good, predictions__sizes={"signal": 10**18})),
            "less than or equal",
        ),
        "lambda layer": (
            lambda good: tar({**good, "model.keras": keras_model(LAMBDA)}),
            "not allowed",
        ),
        "custom layer": (
            lambda good: tar(
                {**good, "model.keras": keras_model({"module": "os", "class_name": "system"})}
            ),
            "not allowed",
        ),
        "no model": (lambda good: tar({**good, "model.keras": b"x" * 100}), "Keras 3"),
        "no ONNX model": (lambda good: tar({**good, "model.onnx": b"x" * 100}), "ONNX"),
        "NaN in the log": (
            lambda good: tar({**good, "log.jsonl": b'{"step": 1, "loss": NaN}'}),
            "finite",
        ),
        "no JSON in the log": (lambda good: tar({**good, "log.jsonl": b"[1]"}), "line 1"),
    }


def tar_folders(count: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"f{number}")
            member.type = tarfile.DIRTYPE
            archive.addfile(member)
    return out.getvalue()


def flagged(archive: bytes) -> bytes:
    """Set the flag of encryption of every member."""
    out = bytearray(archive)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = out.find(mark)
        while place >= 0:
            out[place + offset] |= 1
            place = out.find(mark, place + 4)
    return bytes(out)


def mutations(good: bytes, seed: int, count: int) -> Iterator[bytes]:
    """Copies with a few bytes changed, cut or doubled."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        out = bytearray(good)
        for _ in range(int(random.integers(1, 6))):
            place = int(random.integers(len(out)))
            kind = random.integers(4)
            if kind == 0:
                out[place] = int(random.integers(256))
            elif kind == 1:
                out[place : place + 4] = random.bytes(4)
            elif kind == 2:
                del out[place : place + int(random.integers(1, 50))]
            else:
                out[place:place] = out[place : place + int(random.integers(1, 50))]
        yield bytes(out)
