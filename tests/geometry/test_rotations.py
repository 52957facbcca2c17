import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spatial_reward.geometry.rotations import rotation_angle, rotation_matrix, rotation_vector, skew

vectors = st.tuples(*[st.floats(-1.7, 1.7)] * 3).map(np.array)  # within half a turn


@given(vectors, vectors)
def test_skew_is_the_cross_product(a, b):
    np.testing.assert_allclose(skew(a) @ b, np.cross(a, b), atol=1e-12)


@given(vectors)
def test_the_exponential_is_scipys_and_the_logarithm_undoes_it(vector):
    matrix = rotation_matrix(vector)
    np.testing.assert_allclose(matrix, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(rotation_vector(matrix), vector, atol=1e-7)
    np.testing.assert_allclose(rotation_angle(matrix), np.linalg.norm(vector), atol=1e-6)


def test_a_stack_of_vectors_gives_a_stack():
    stack = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.testing.assert_array_equal(skew(stack)[2, 3], skew(stack[2, 3]))
