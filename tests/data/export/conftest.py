import pytest
from small_scenes import make_set

from spatial_reward.data.records import QuestionSet
from spatial_reward.questions import SUBTASKS


@pytest.fixture(scope="session")
def question_set(tmp_path_factory):
    return make_set(tmp_path_factory.mktemp("sets") / "small.set")


@pytest.fixture(scope="session")
def records(question_set):
    """List the records of the set; there are some of every subtask."""
    found = list(QuestionSet(question_set).records())
    assert {record.subtask for record in found} == {subtask.name for subtask in SUBTASKS}
    return found
