"""What every export must keep: the right answer in the words, and the pictures with their dots."""

import io

import numpy as np
from PIL import Image

from spatial_reward.chat import dots_on
from spatial_reward.questions import KINDS


def check_reply(record, reply):
    """The words, read as those of a model, count as correct."""
    kind = KINDS[record.question.kind]
    assert kind.score(kind.read(reply, record.question), record.question, record.mode), (record.id, reply)


def opened(file):
    """Decode a picture with PIL, as the harnesses do; `file` is a path or bytes."""
    with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
        return np.asarray(image.convert("RGB"))


def check_pictures(record, files, root):
    """As many pictures as frames, of the right size, with dots in their colours where the points are."""
    assert len(files) == len(record.question.frames)
    for number, (file, frame) in enumerate(zip(files, record.question.frames, strict=True)):
        picture, original = opened(file), opened(root / record.pictures[number])
        assert picture.shape == original.shape == (frame.height, frame.width, 3)
        marks = dots_on(record.question, number, record.id)
        for mark in marks:
            column, row = np.clip(np.floor(mark.at).astype(int), 0, np.array(picture.shape[1::-1]) - 1)
            assert np.abs(picture[row, column].astype(int) - mark.colour).max() < 60, (record.id, mark)
        far = away_from(marks, picture.shape)
        if marks:
            assert np.abs(picture.astype(int) - original)[far].mean() < 1
        else:
            assert np.array_equal(picture, original)


def away_from(marks, shape, distance=30):
    """(H, W) whether a pixel is far from every dot and its letter."""
    rows, columns = np.indices(shape[:2]) + 0.5
    gaps = [np.hypot(columns - mark.at[0], rows - mark.at[1]) for mark in marks]
    return np.min([np.full(shape[:2], np.inf), *gaps], axis=0) > distance
