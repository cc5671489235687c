"""The distance transform against scipy's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ccta.anatomy.distance import distance_to_mask


@given(seed=st.integers(0, 1000), share=st.floats(0.001, 0.9), spacing=st.tuples(*3 * [st.floats(0.2, 2.0)]))
@settings(max_examples=40, deadline=None)
def test_it_agrees_with_scipy_on_any_mask_and_spacing(seed, share, spacing):
    mask = np.random.default_rng(seed).random((9, 14, 11)) < share
    mask[4, 5, 6] = True
    np.testing.assert_allclose(distance_to_mask(mask, spacing), ndimage.distance_transform_edt(~mask, sampling=spacing), rtol=1e-5, atol=1e-5)


def test_an_empty_mask_is_far_from_everything():
    assert distance_to_mask(np.zeros((3, 4, 5), bool), 0.5).min() >= 1e6
