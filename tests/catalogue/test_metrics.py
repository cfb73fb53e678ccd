import pytest

from sgad.catalogue.metrics import known_metrics, metric_info, plan
from sgad.catalogue.networks import INCEPTION
from sgad.errors import InputError
from sgad.measures.extractors.features import Extractor
from sgad.measures.passes import metric_names

LOWER_IS_BETTER = {"frechet", "infinity", "kid"}


def _keys(*names, **options):
    return [wanted.key for wanted in plan(names, **options)]


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


def test_every_metric_has_a_label_and_the_right_direction():
    known = known_metrics()
    assert len({metric.label for metric in known.values()}) == len(known)
    for wanted in known.values():
        assert metric_info(wanted.key).higher_is_better == (wanted.quantity not in LOWER_IS_BETTER), wanted.key


@pytest.mark.parametrize("network", INCEPTION)
def test_other_weights_keep_the_direction_and_are_named(network):
    items = [wanted for wanted in known_metrics().values() if wanted.network == network]
    names = metric_names(items, Extractor(network, "", "0a1b2c3d" * 8, lambda _: None))
    for metric, name in names.items():
        plain, other = metric_info(metric), metric_info(name)
        assert name.endswith("_0a1b2c3d")
        assert (other.key, other.higher_is_better, other.decimals) == (name, plain.higher_is_better, plain.decimals)
        assert other.label == plain.label.replace("FID", "FD") + ", other weights 0a1b2c3d"


def test_an_unknown_metric_is_shown_under_its_key():
    assert metric_info("mine_0a1b2c3d").label == "mine_0a1b2c3d"
    assert metric_info("mine").label == "mine"


@pytest.mark.parametrize(("name", "hint"), [("fidd", "'fid'"), ("kid_clasifier", "'kid_classifier'")])
def test_an_unknown_measure_is_refused_with_the_nearest(name, hint):
    with pytest.raises(InputError, match=f"unknown, did you mean {hint}"):
        plan([name])


def test_unknown_protocols_and_extractors_are_refused():
    with pytest.raises(InputError, match="protocol must be one of"):
        plan(["fid"], protocol="tf2")
    with pytest.raises(InputError, match="extractor must be one of"):
        plan(["kid"], extractor="vgg")
