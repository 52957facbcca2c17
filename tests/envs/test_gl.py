"""OpenGL is found, errors say what to install, contexts of others survive, processes and forks are safe."""

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import mujoco
import numpy as np
import pytest

from spatial_reward.envs import gl
from spatial_reward.envs.simulator import Simulator

BALL = """
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <geom type="plane" size="1 1 .1" rgba=".3 .4 .5 1"/>
    <body name="ball" pos="0 0 .3"><freejoint/><geom name="skin" size=".1" rgba="1 0 0 1"/></body>
  </worldbody>
</mujoco>
"""

headless = pytest.mark.skipif(
    sys.platform != "linux" or "DISPLAY" in os.environ, reason="the choice is made on Linux without a display"
)


def picture() -> bytes:
    model = mujoco.MjModel.from_xml_string(BALL)
    with Simulator((model, mujoco.MjData(model)), "free", 48, 32) as simulator:
        return simulator.frame().rgb.tobytes()


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")
    }
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**kept, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


@headless
def test_a_backend_is_chosen_before_mujoco_is_imported_and_told_to_children():
    done = run("""
        import os, sys
        from spatial_reward.envs.gl import load_mujoco
        assert "mujoco" not in sys.modules
        mujoco = load_mujoco()
        print(os.environ["MUJOCO_GL"], mujoco.GLContext.__module__)
    """)
    backend, module = done.stdout.split()
    assert backend in ("egl", "osmesa"), done.stderr
    assert module == f"mujoco.{backend}"


@headless
def test_pictures_are_drawn_where_mujoco_was_imported_first_without_a_choice():
    done = run("""
        import mujoco, test_gl
        print(len(test_gl.picture()))
    """)
    assert done.stdout.strip() == str(48 * 32 * 3), done.stderr
    assert done.stderr == ""


@headless
def test_osmesa_is_the_second_choice_and_neither_names_the_packages(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr(gl, "_egl_loads", lambda: False)
    monkeypatch.setattr(gl, "_osmesa_loads", lambda: True)
    gl.load_mujoco()
    assert os.environ["MUJOCO_GL"] == "osmesa"
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr(gl, "_osmesa_loads", lambda: False)
    with pytest.raises(RuntimeError, match=r"apt-get install libegl1 libgl1 \(or libosmesa6"):
        gl.load_mujoco()


def test_the_choice_of_the_user_is_kept(monkeypatch):
    for chosen in ("egl", "glfw"):
        monkeypatch.setenv("MUJOCO_GL", chosen)
        gl.load_mujoco()
        assert os.environ["MUJOCO_GL"] == chosen


def test_an_unknown_choice_is_an_error_with_the_known_ones():
    done = run("from spatial_reward.envs.gl import load_mujoco; load_mujoco()", MUJOCO_GL="bogus")
    assert (
        "RuntimeError: MUJOCO_GL='bogus' is unknown to MuJoCo. Set it to egl, osmesa or glfw." in done.stderr
    )


def test_drawing_switched_off_is_an_error(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "off")
    with pytest.raises(RuntimeError, match="MUJOCO_GL='off' switches drawing off"):
        gl.new_context(8, 8)


def test_an_opengl_that_does_not_load_names_the_packages():
    script = "from spatial_reward.envs.gl import load_mujoco, new_context; load_mujoco(); new_context(8, 8)"
    done = run(script, MUJOCO_GL="egl", MUJOCO_EGL_DEVICE_ID="97")
    assert "RuntimeError: No OpenGL context with MUJOCO_GL='egl'" in done.stderr
    assert "apt-get install libegl1 libgl1" in done.stderr


def test_the_thread_gets_back_the_context_it_had():
    gl.load_mujoco()
    with gl.current():
        theirs, ours = gl.new_context(8, 8), gl.new_context(8, 8)
        theirs.make_current()
        before = gl._current_now()[0]
        with gl.current(ours):
            assert gl._current_now()[0] != before
        assert gl._current_now()[0] == before
        picture()
        assert gl._current_now()[0] == before
        for context in (theirs, ours):
            context.free()


def test_a_spawned_process_draws_the_same_bytes():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        theirs = pool.submit(picture).result(timeout=100)
    ours = picture()
    assert np.ptp(np.frombuffer(ours, np.uint8)) > 100
    assert theirs == ours


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_after_a_picture_is_refused_and_one_before_draws():
    done = run("""
        import os, test_gl
        def child():
            try:
                test_gl.picture()
                print("drew", flush=True)
            except RuntimeError as error:
                print(error, flush=True)
        for _ in range(2):
            if os.fork() == 0:
                child()
                os._exit(0)
            os.wait()
            print("parent", len(test_gl.picture()), flush=True)
    """)
    before, parent, after, again = done.stdout.splitlines()
    assert before == "drew", done.stderr
    assert after.startswith("This process was forked after its parent had drawn a picture")
    assert 'context="spawn"' in after
    assert parent == again == f"parent {48 * 32 * 3}"
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_an_inherited_simulator_refuses_to_draw_and_can_be_closed():
    done = run("""
        import os, mujoco, test_gl
        from spatial_reward.envs.simulator import Simulator
        model = mujoco.MjModel.from_xml_string(test_gl.BALL)
        simulator = Simulator((model, mujoco.MjData(model)), "free", 48, 32)
        simulator.frame()
        if os.fork() == 0:
            try:
                simulator.frame()
            except RuntimeError as error:
                print(str(error)[:23], flush=True)
            simulator.close()
            print("closed", flush=True)
            os._exit(0)
        os.wait()
    """)
    assert done.stdout.splitlines() == ["This process was forked", "closed"], done.stderr
