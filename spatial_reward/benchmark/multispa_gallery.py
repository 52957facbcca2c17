"""The pictures of a run's questions: read from the scenes of a set, drawn where the frozen set lacks them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from spatial_reward.benchmark.multispa_questions import Records
from spatial_reward.benchmark.multispa_sim import MultiSpaSim
from spatial_reward.benchmark.multispa_sim_pictures import FrozenSource, compare, read_committed
from spatial_reward.data.prepared import PreparedScene, folder_name, prepare
from spatial_reward.data.records import Record
from spatial_reward.types import Frame

FITS = ("identical", "within tolerance", "different", "unchecked")  # how a picture is as it must be
UNSEEN = "unseen"  # by the model

Draw = Callable[[str], object]
Fits = Callable[[str, int, Frame], str]


class Gallery:
    """The pictures of scenes in folders, as `generate` writes them.

    Args:
        folder: Holds scenes/.
        draw: Draws the missing scene of that id; None where it cannot be drawn.
        fits: Tells how a picture compares with what it must show; None where nothing is known of that.
    """

    def __init__(self, folder: Path, draw: Draw | None = None, fits: Fits | None = None) -> None:
        """Open nothing yet."""
        self._folder, self._draw, self._fits = folder, draw, fits
        self._scene = lru_cache(maxsize=2)(self._open)
        self._compared: dict[tuple[str, int], str] = {}

    def has(self, record: Record) -> bool:
        """Tell whether the scene of a record is there, or can be drawn."""
        return self._draw is not None or (self._place(record.scene) / "scene.json").exists()

    def with_pictures(self, record: Record) -> Record:
        """Return a record with pixels, and with depth where it was kept.

        Raises:
            FileNotFoundError: If pictures are missing.
        """
        prepared = self._scene(record.scene)
        frames = [
            replace(prepared.frame(number), camera=frame.camera)
            for number, frame in zip(record.frames, record.question.frames, strict=True)
        ]
        return replace(record, question=replace(record.question, frames=tuple(frames)))

    def compared(self, record: Record) -> str:
        """Say how well the pictures of a record are as they must be: the worst of them."""
        if self._fits is None:
            return FITS[-1]
        for number, frame in zip(record.frames, record.question.frames, strict=True):
            if (record.scene, number) not in self._compared:
                self._compared[record.scene, number] = self._fits(record.scene, number, frame)
        return max((self._compared[record.scene, number] for number in record.frames), key=FITS.index)

    def _place(self, scene: str) -> Path:
        return self._folder / "scenes" / folder_name(scene)

    def _open(self, scene: str) -> PreparedScene:
        if self._draw is not None and not (self._place(scene) / "scene.json").exists():
            self._draw(scene)
        return PreparedScene(self._place(scene))


def gallery_of(opened: Records, folder: Path, depth: bool) -> Gallery:
    """Open the pictures of a set; those of the frozen benchmark are drawn into `folder` where missing."""
    if not isinstance(opened, MultiSpaSim):
        return Gallery(Path(getattr(opened, "folder", folder)))
    source, committed = FrozenSource(opened.scenes), read_committed(opened.scenes)

    def draw(clip: str) -> None:
        (folder / "scenes").mkdir(parents=True, exist_ok=True)
        prepare(source, clip, folder / "scenes", depth=depth)

    def fits(clip: str, number: int, frame: Frame) -> str:
        difference = compare((clip, number), frame.rgb, committed[clip, number])
        return FITS[0 if difference.identical else 1 if difference.fits else 2]

    return Gallery(folder, draw, fits)


def with_pictures(records: Sequence[Record], opened: Records, gallery: Gallery) -> Iterator[Record]:
    """Yield the records with their pictures, from the scenes, or from the rows where those hold them.

    Raises:
        FileNotFoundError: If pictures are missing.
    """
    if all(map(gallery.has, records)):
        yield from map(gallery.with_pictures, records)
        return
    wanted = {record.id for record in records}
    stored: Iterable[Record] = opened.records(
        pictures=True, subtasks=sorted({one.subtask for one in records})
    )
    yield from (record for record in stored if record.id in wanted)
