import pytest

from spatial_reward.data.run_folder import run_folder


def interrupted(folder, *, finishes):
    with pytest.raises(KeyboardInterrupt), run_folder(folder, {"seed": 0}, parts=("scenes",)) as begun:
        if finishes:
            (begun / "scenes" / "000000.npz").touch()
        raise KeyboardInterrupt


def test_an_interrupted_run_that_keeps_something_says_how_it_goes_on(tmp_path, capsys):
    interrupted(tmp_path / "run", finishes=True)
    assert f"with out={tmp_path / 'run'} goes on from here" in capsys.readouterr().err
    assert (tmp_path / "run" / "scenes" / "000000.npz").exists()


def test_one_that_has_nothing_leaves_nothing_and_says_nothing(tmp_path, capsys):
    interrupted(tmp_path / "run", finishes=False)
    assert not capsys.readouterr().err and not (tmp_path / "run").exists()
