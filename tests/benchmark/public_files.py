"""Small files in the exact formats of the public benchmarks, written by hand."""

import json
import struct

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spatial_reward.benchmark.harness.tfrecord import masked_crc32c

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # as `datasets` stores pictures
STRINGS = pa.list_(pa.string())


def png(shade, width=32, height=24):
    """Encode a picture of one red shade."""
    picture = np.full((height, width, 3), (10, 20, shade), np.uint8)  # BGR
    return cv2.imencode(".png", picture)[1].tobytes()


def cell(shade):
    return {"bytes": png(shade), "path": None}


def write_blink(folder, tasks=("Relative_Depth", "Counting"), rows=3):
    """Write val and test files; in those of test the answers are hidden."""
    types = {"idx": pa.string(), "sub_task": pa.string(), "question": pa.string(), "prompt": pa.string()}
    types |= {f"image_{number}": IMAGE for number in range(1, 5)}
    types |= {"choices": STRINGS, "answer": pa.string()}
    for task in tasks:
        for split in ("val", "test"):
            table = {name: [] for name in types}
            for number in range(rows):
                answer = "(hidden)" if split == "test" else f"({'AB'[number % 2]})"
                row = {
                    "idx": f"{split}_{task}_{number + 1}",
                    "sub_task": task,
                    "question": "Which point is closer?",
                    "prompt": "Which point is closer?\nSelect from the following options.\n(A) A\n(B) B",
                    "image_1": cell(100 + number),
                    "image_2": cell(200 + number) if task != "Relative_Depth" else None,
                    "image_3": None,
                    "image_4": None,
                    "choices": ["A is closer", "B is closer"],
                    "answer": answer,
                }
                for name in types:
                    table[name].append(row[name])
            path = folder / task / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(table, pa.schema(types)), path, row_group_size=2)


def write_cv_bench(folder):
    """Write the files of the two halves."""
    texts = ("type", "task", "question", "answer", "prompt", "filename", "source", "source_dataset")
    types = {"idx": pa.int64(), **dict.fromkeys(texts, pa.string())}
    types |= {"image": IMAGE, "choices": STRINGS, "target_size": pa.int64(), "bbox": pa.list_(STRINGS)}
    halves = {
        "2d": [("Count", "ADE20K", "(A)"), ("Relation", "COCO", "(B)"), ("Count", "COCO", "(A)")],
        "3d": [("Depth", "Omni3D", "(B)"), ("Distance", "Omni3D", "(A)")],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for half, rows in halves.items():
        made = [
            {
                **{"idx": number, "type": half.upper(), "task": task, "question": "Which?", "answer": answer},
                **{"prompt": "Which? Select from the following choices.\n(A) chair\n(B) table"},
                **{"filename": f"img/{half}/{number}.png", "source": source, "source_dataset": f"{source} x"},
                **{"image": cell(number), "choices": ["chair", "table"], "target_size": None, "bbox": None},
            }
            for number, (task, source, answer) in enumerate(rows)
        ]
        pq.write_table(pa.Table.from_pylist(made, pa.schema(types)), folder / f"test_{half}.parquet")


ERQA = (  # question type, question, answer, shades of the pictures, visual indices
    ("Pointing", "Which hand? Choices: A. Left. B. Right. Please answer directly.", "B", (50,), (0,)),
    (
        "Multi-view Reasoning",
        "First view: and second view: are they one scene? Choices: A. Yes. B. No. C. Perhaps. D. Cannot say.",
        "A",
        (70, 60),
        (28, 11),  # the second picture stands first
    ),
    ("Action Reasoning", "What next? A. up B. down C. in D. out", "C", (80, 90), (0, 0)),
)


def write_erqa_parquet(folder):
    types = {name: pa.string() for name in ("question_id", "question", "question_type", "answer")}
    types |= {"images": pa.list_(IMAGE), "visual_indices": pa.list_(pa.int64())}
    rows = [
        {
            **{"question_id": f"ERQA_{number}", "question": question, "question_type": kind},
            **{"answer": answer, "images": [cell(one) for one in shades], "visual_indices": list(places)},
        }
        for number, (kind, question, answer, shades, places) in enumerate(ERQA, start=1)
    ]
    path = folder / "data" / "test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(types)), path)


def write_erqa_tfrecord(folder):
    examples = [
        {
            "question": [question.encode()],
            "answer": [answer.encode()],
            "question_type": [kind.encode()],
            "image/encoded": [png(one) for one in shades],
            "visual_indices": list(places),
        }
        for kind, question, answer, shades, places in ERQA
    ]
    path = folder / "data" / "erqa.tfrecord"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(framed(example_bytes(one)) for one in examples))
    return path


def framed(data):
    """Frame a record as TFRecord files do."""
    head = struct.pack("<Q", len(data))
    return b"".join(
        [head, struct.pack("<I", masked_crc32c(head)), data, struct.pack("<I", masked_crc32c(data))]
    )


def example_bytes(features):
    """Write a `tf.train.Example`."""
    entries = b"".join(
        field(1, field(1, name.encode()) + field(2, feature(values))) for name, values in features.items()
    )
    return field(1, entries)


def feature(values):
    if all(isinstance(value, bytes) for value in values):
        return field(1, b"".join(field(1, value) for value in values))
    if all(isinstance(value, int) for value in values):
        return field(3, field(1, b"".join(varint(value % 2**64) for value in values)))  # packed
    return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value):
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


VSI = (  # question type, ground truth, options
    ("object_counting", "3", None),
    ("object_counting", "2", None),
    ("object_abs_distance", "2.5", None),
    ("object_size_estimation", "120", None),
    ("room_size_estimation", "20.5", None),
    ("object_rel_direction_easy", "A", ["A. left", "B. right"]),
    ("object_rel_direction_medium", "B", ["A. left", "B. right", "C. back"]),
    ("object_rel_direction_hard", "C", ["A. front-left", "B. front-right", "C. back-left", "D. back-right"]),
    ("object_rel_distance", "D", ["A. sofa", "B. stove", "C. table", "D. lamp"]),
    ("route_planning", "A", ["A. Turn Left", "B. Turn Right"]),
    ("obj_appearance_order", "B", ["A. sofa, stove", "B. stove, sofa"]),
)


def write_vsi_bench(folder, frames=6):
    rows = [
        {
            **{"id": number, "dataset": "scannet", "scene_name": "scene0001_00", "question_type": kind},
            **{"question": "How is it?", "ground_truth": truth, "options": options, "pruned": number > 3},
        }
        for number, (kind, truth, options) in enumerate(VSI)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    types = {
        name: pa.string() for name in ("dataset", "scene_name", "question_type", "question", "ground_truth")
    }
    types |= {"id": pa.int64(), "options": STRINGS, "pruned": pa.bool_()}
    kept = [row for row in rows if not row["pruned"]]
    pq.write_table(pa.Table.from_pylist(kept, pa.schema(types)), folder / "test_debiased.parquet")
    write_video(folder / "scannet" / "scene0001_00.mp4", frames)


def write_video(path, frames):
    """Write a video whose pictures become brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (64, 48))
    for number in range(frames):
        video.write(np.full((48, 64, 3), 20 * number + 20, np.uint8))
    video.release()


def write_roboreward(folder):
    rows = [("bridge/1.mp4", "put the spoon in the pot", 5), ("droid/2.mp4", "open the drawer", 2)]
    rows += [("droid/3.mp4", "close the drawer", 1)]
    for name, _, _ in rows:
        write_video(folder / "test" / name, 3)
    lines = [
        json.dumps({"file_name": name, "task": task, "reward": reward, "gpt5_mini_check": "fine"}) + "\n"
        for name, task, reward in rows
    ]
    (folder / "test" / "metadata.jsonl").write_text("".join(lines))


def write_all(folder):
    """Write every benchmark; return the folder."""
    write_blink(folder / "blink")
    write_cv_bench(folder / "cv_bench")
    write_erqa_parquet(folder / "erqa")
    write_vsi_bench(folder / "vsi_bench")
    write_roboreward(folder / "roboreward")
    return folder
