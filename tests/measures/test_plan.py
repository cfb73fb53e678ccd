import pytest

from sgad.errors import InputError
from sgad.measures.plan import KNOWN, plan


def _keys(*names, **options):
    return [wanted.metric for wanted in plan(names, **options)]


def test_short_names_take_the_protocol():
    assert _keys("fid", "is") == ["fid_inception_clean", "is_inception_clean"]
    assert _keys("fid", protocol="torch-fidelity") == ["fid_inception_tf1"]
    assert _keys("fid", protocol="pytorch-fid") == ["fid_inception_torch"]


def test_kid_and_prc_take_the_classifier_unless_inception_is_asked_for():
    assert _keys("cfd", "kid") == ["cfd", "kid_classifier"]
    assert _keys("fid", "kid", "prc")[1:] == [
        "kid_inception_clean",
        "precision_inception_clean",
        "recall_inception_clean",
    ]
    assert _keys("kid", extractor="inception") == ["kid_inception_clean"]
    assert _keys("kid", extractor="fad") == ["kid_fad_eval"]


def test_each_metric_once_and_in_order():
    assert _keys("ccs", "cfd", "ccs", "fad") == ["ccs", "cfd", "fad_fsvae", "fad_eval"]


def test_every_key_of_the_design_is_known():
    from sgad.names import METRICS

    assert set(METRICS) <= set(KNOWN)


@pytest.mark.parametrize(("name", "hint"), [("fidd", "'fid'"), ("kid_clasifier", "'kid_classifier'")])
def test_an_unknown_measure_is_refused_with_the_nearest(name, hint):
    with pytest.raises(InputError, match=f"unknown, did you mean {hint}"):
        plan([name])


def test_unknown_protocols_and_extractors_are_refused():
    with pytest.raises(InputError, match="protocol must be one of"):
        plan(["fid"], protocol="tf2")
    with pytest.raises(InputError, match="extractor must be one of"):
        plan(["kid"], extractor="vgg")
