"""metrics.json: one pass, protocols, gaps that say why, the cache, failed runs, baselines."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sgad.data.held_out import held_out_rows
from sgad.errors import InputError
from sgad.measures.baselines import baselines, baselines_to_file, noise_images
from sgad.measures.comparing import measure_images
from sgad.measures.extractors.features import Extractor
from sgad.measures.extractors.networks import Sources, identify_weights, load_network
from sgad.measures.images import images_of_array
from sgad.measures.mathematics.frechet import frechet_distance_of_features
from sgad.measures.passes import Options
from sgad.measures.readers import open_images, open_split
from sgad.measures.stage import measure_to_file
from tests.measures.conftest import write_prepared

ROW = {"metric", "value", "low", "high", "n", "protocol", "status", "details"}
CLASSIFIER = ("cfd", "ccs", "kid_classifier", "precision_classifier", "recall_classifier")


@pytest.fixture
def samples(tmp_path, digits):
    """Return a samples.npz of 250 real digits that neither split holds."""
    np.savez(tmp_path / "samples.npz", images=digits[0][1500:1750, :, 2:30, 2:30], meta=np.array("{}"))
    return tmp_path / "samples.npz"


def _by_metric(document):
    return {row["metric"]: row for row in document["metrics"]}


def test_the_file_has_the_agreed_form(samples, trained_digits, tmp_path):
    document = measure_to_file(samples, trained_digits, CLASSIFIER, tmp_path / "metrics.json")
    assert json.loads((tmp_path / "metrics.json").read_text()) == document
    assert set(document) == {"samples", "reference", "metrics"}
    assert document["samples"]["n"] == 250
    assert document["reference"] == document["reference"] | {"name": "digits", "split": "test", "n": 300}
    assert [row["metric"] for row in document["metrics"]] == list(CLASSIFIER)
    for row in document["metrics"]:
        assert set(row) == ROW
        assert row["status"] == "computed"
        assert row["n"] == 250
        assert row["low"] <= row["value"] <= row["high"]
        assert "evaluation mode" in row["protocol"]
        assert "n=250 generated, 300 reference" in row["protocol"]


def test_three_classifiers_give_mean_and_range(samples, trained_digits, tmp_path):
    row = _by_metric(measure_to_file(samples, trained_digits, ["cfd"], tmp_path / "m.json"))["cfd"]
    values = row["details"]["values"]
    assert len(values) == 3
    assert row["value"] == pytest.approx(np.mean(values))
    assert (row["low"], row["high"]) == (min(values), max(values))
    record = json.loads((trained_digits / "classifier" / "classifier.json").read_text())
    assert "+".join(digest[:8] for digest in record["sha256"]) in row["protocol"]


def test_few_images_are_flagged(samples, trained_digits, tmp_path):
    details = _by_metric(measure_to_file(samples, trained_digits, ["cfd"], tmp_path / "m.json"))["cfd"]["details"]
    assert not details["rank_deficient"]
    assert "biased" in details["warning"]
    few = measure_images(
        images_of_array(np.load(samples)["images"][:40]),
        open_split(trained_digits),
        ["cfd"],
        options=Options(Sources(trained_digits)),
    )
    assert few["metrics"][0]["details"]["rank_deficient"]


def test_real_images_are_nearer_than_noise(samples, trained_digits):
    options = Options(Sources(trained_digits))
    reference = open_split(trained_digits)
    real, noise = (
        _by_metric(measure_images(images, reference, CLASSIFIER, options=options))
        for images in (images_of_array(np.load(samples)["images"]), noise_images((1, 28, 28), 250))
    )
    assert real["cfd"]["value"] < 0.2 * noise["cfd"]["value"]
    assert real["kid_classifier"]["value"] < noise["kid_classifier"]["value"]
    assert real["ccs"]["value"] > noise["ccs"]["value"]
    assert real["recall_classifier"]["value"] > noise["recall_classifier"]["value"]


def test_what_is_absent_is_said_with_its_remedy_and_the_rest_goes_on(samples, trained_digits, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    measures = ["fid_inception_clean", "cfd", "fad_fsvae", "fad_own"]
    rows = _by_metric(measure_to_file(samples, trained_digits, measures, tmp_path / "m.json"))
    assert rows["cfd"]["status"] == "computed"
    for name in ("fid_inception_clean", "fad_fsvae"):
        assert rows[name]["value"] is None
        assert rows[name]["status"] == "not computed: weights absent"
    assert "sgad doctor --download-weights" in rows["fid_inception_clean"]["details"]["remedy"]
    assert "sgad classifier digits --autoencoder" in rows["fad_own"]["details"]["remedy"]


def test_without_a_data_set_there_is_no_classifier(samples, tmp_path):
    (row,) = measure_to_file(samples, samples, ["cfd"], tmp_path / "m.json")["metrics"]
    assert row["status"] == "not computed: no classifier without a data set"


def test_a_classifier_of_another_data_set_can_be_given(samples, trained_digits, tmp_path):
    for options in ({"extractor": str(trained_digits / "classifier")}, {"weights": trained_digits / "classifier"}):
        (row,) = measure_to_file(samples, samples, ["cfd"], tmp_path / "m.json", **options)["metrics"]
        assert row["value"] == pytest.approx(0, abs=1e-8)


def test_other_weights_than_the_published_are_never_called_fid(small_inception, digits, tmp_path):
    np.save(tmp_path / "a.npy", digits[0][:7])
    np.save(tmp_path / "b.npy", digits[0][7:14])
    document = measure_to_file(
        tmp_path / "a.npy",
        tmp_path / "b.npy",
        ["fid", "is", "kid"],
        tmp_path / "m.json",
        weights=small_inception,
        protocol="torch-fidelity",
        cache=tmp_path / "cache",
    )
    fd, score, kid = document["metrics"]
    tag = fd["metric"].rpartition("_")[2]
    assert fd["metric"] == f"fd_inception_tf1_{tag}"
    assert tag in fd["protocol"]
    assert (fd["status"], kid["status"]) == ("computed", "computed")
    # Ten chunks need ten images: a row that says so.
    assert score["status"].startswith("not computed: an inception score of 10 chunks")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_published_weights_are_recognised_by_their_hash(small_inception, digits, tmp_path, monkeypatch):
    from sgad.machine.files import sha256_of
    from sgad.measures.extractors import weights

    monkeypatch.setattr(weights, "INCEPTION_SHA256", sha256_of(small_inception))
    np.save(tmp_path / "a.npy", digits[0][:2])
    (row,) = measure_to_file(
        tmp_path / "a.npy", tmp_path / "a.npy", ["fid"], tmp_path / "m.json", weights=small_inception
    )["metrics"]
    assert row["metric"] == "fid_inception_clean"
    assert row["details"]["rank_deficient"]


def test_the_reference_is_seen_once_and_then_taken_from_the_cache(trained_digits, digits, tmp_path, monkeypatch):
    calls = []
    compute = Extractor.__dict__.get("compute")
    assert compute is None
    from sgad.measures import passes as module

    original = module.extract

    def counted(extractor, images, **options):
        calls.append(images.name)
        return original(extractor, images, **options)

    monkeypatch.setattr(module, "extract", counted)
    options = Options(Sources(trained_digits), cache=tmp_path / "cache")
    images = images_of_array(digits[0][:20, :, 2:30, 2:30], name="generated")
    first = measure_images(images, open_split(trained_digits), CLASSIFIER, options=options)
    assert len(calls) == 6
    again = measure_images(images, open_split(trained_digits), CLASSIFIER, options=options)
    assert calls[6:] == ["generated"] * 3
    assert again == first


def test_a_damaged_cache_entry_is_computed_again(trained_digits, digits, tmp_path):
    options = Options(Sources(trained_digits), cache=tmp_path / "cache")
    images = images_of_array(digits[0][:20, :, 2:30, 2:30])
    first = measure_images(images, open_split(trained_digits), ["cfd"], options=options)
    for file in (tmp_path / "cache").iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 255
        file.write_bytes(bytes(content))
    assert measure_images(images, open_split(trained_digits), ["cfd"], options=options) == first


def test_black_images_under_an_old_name_get_no_old_value(trained_digits, tmp_path, digits):
    np.save(tmp_path / "a.npy", digits[0][:50, :, 2:30, 2:30])
    first = measure_to_file(tmp_path / "a.npy", trained_digits, ["cfd"], tmp_path / "m.json", cache=tmp_path / "c")
    np.save(tmp_path / "a.npy", np.zeros((50, 1, 28, 28), np.uint8))
    second = measure_to_file(tmp_path / "a.npy", trained_digits, ["cfd"], tmp_path / "m.json", cache=tmp_path / "c")
    assert second["metrics"][0]["value"] > 3 * first["metrics"][0]["value"]


def test_a_failed_run_gets_rows_that_say_why(tmp_path, trained_digits):
    np.savez(tmp_path / "samples.npz", images=np.zeros((0, 1, 28, 28), np.uint8), meta=np.array("{}"))
    (tmp_path / "run.json").write_text('{"status": "failed", "reason": "out of memory"}')
    document = measure_to_file(tmp_path / "samples.npz", trained_digits, CLASSIFIER, tmp_path / "m.json")
    assert {row["status"] for row in document["metrics"]} == {"not computed: run failed: out of memory"}
    assert all(row["value"] is None for row in document["metrics"])


def test_a_collapsed_generator_is_measured(trained_digits):
    black = images_of_array(np.zeros((60, 1, 28, 28), np.uint8))
    rows = _by_metric(
        measure_images(black, open_split(trained_digits), CLASSIFIER, options=Options(Sources(trained_digits)))
    )
    assert all(np.isfinite(row["value"]) for row in rows.values())
    assert rows["ccs"]["value"] == pytest.approx(1, abs=1e-6)
    assert rows["recall_classifier"]["value"] == 0


def test_fad_fsvae_wants_exactly_its_number_of_images(tmp_path, random, digits):
    import torch
    from safetensors.torch import save_file

    from sgad.measures.extractors.autoencoder import Encoder

    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(Encoder(1, 4, 64).state_dict(), tmp_path / "fashion_64.safetensors")
    reference, fewer = images_of_array(digits[0][:310]), images_of_array(digits[0][:300])
    options = Options(Sources(fsvae=tmp_path / "fashion_64.safetensors"))
    # As many as the reference has are cut into the same batches on both sides.
    same = _by_metric(measure_images(reference, reference, ["fad"], options=options))
    assert same["fad_fsvae"]["value"] == pytest.approx(0, abs=1e-6)
    short = _by_metric(measure_images(fewer, reference, ["fad"], options=options))
    assert short["fad_fsvae"]["status"] == "not computed: needs 5120 generated images, has 300"
    assert short["fad_fsvae"]["details"]["remedy"] == "sgad sample DIR --num 5120"
    assert short["fad_eval"]["status"] == "computed"
    assert short["fad_fsvae"]["n"] == 0
    many = images_of_array(random.integers(0, 256, (5300, 1, 32, 32), np.uint8))
    full = _by_metric(measure_images(many, reference, ["fad"], options=options))
    assert full["fad_fsvae"]["n"] == 5120
    assert full["fad_eval"]["n"] == 5300
    assert "training mode, batches of 256" in full["fad_fsvae"]["protocol"]
    drawn = _by_metric(measure_images(many, reference, ["fad_fsvae"], options=replace(options, draws=2)))
    assert drawn["fad_fsvae"]["status"] == "not computed: needs 10240 generated images, has 5300"


def test_fad_fsddim_takes_ten_thousand_images_in_its_own_batches(tmp_path, random):
    import torch
    from safetensors.torch import save_file

    from sgad.measures.extractors.autoencoder import Encoder

    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(Encoder(1, 4, 64).state_dict(), tmp_path / "fashion_64.safetensors")
    options = Options(Sources(fsvae=tmp_path / "fashion_64.safetensors"))
    pixels = random.integers(0, 256, (10_050, 1, 32, 32), np.uint8)
    reference = images_of_array(pixels[:300])
    (short,) = measure_images(images_of_array(pixels[:9000]), reference, ["fad_fsddim"], options=options)["metrics"]
    assert short["status"] == "not computed: needs 10000 generated images, has 9000"
    (row,) = measure_images(images_of_array(pixels), reference, ["fad_fsddim"], options=options)["metrics"]
    assert row["n"] == 10_000
    assert "training mode, batches of 250 (reference: of 256)" in row["protocol"]
    # The same two steps by hand: 250 at a time on one side, 256 on the other.
    fsddim = load_network("fad_fsddim", options.sources)[0]
    fsvae = load_network("fad_fsvae", options.sources)[0]
    generated = np.concatenate([fsddim.compute(pixels[start : start + 250])[0] for start in range(0, 10_000, 250)])
    known = np.concatenate([fsvae.compute(pixels[:256])[0], fsvae.compute(pixels[256:300])[0]])
    assert row["value"] == pytest.approx(frechet_distance_of_features(generated, known))


def test_events_are_measured_as_still_images_that_are_named(tmp_path, random):
    counts = random.poisson(0.3, (40, 3, 2, 28, 28)).astype(np.float32)
    labels = (np.arange(40) % 2).astype(np.int64)
    folder = write_prepared(tmp_path / "events", counts, counts, labels, labels, kind="events")
    from sgad.measures.extractors.classifier import train_classifiers

    train_classifiers(folder, folder / "classifier", seeds=(0,), epochs=1)
    frames = np.rint(np.clip(counts, 0, 1) * 255).astype(np.uint8)
    np.savez(tmp_path / "samples.npz", frames=frames)
    (row,) = measure_to_file(tmp_path / "samples.npz", folder, ["cfd"], tmp_path / "m.json")["metrics"]
    assert row["value"] == pytest.approx(0, abs=1e-8)
    assert row["protocol"].count("events: mean over time of frames clipped to 0..1") == 1
    (row,) = measure_to_file(tmp_path / "samples.npz", folder, ["cfd"], tmp_path / "m.json", event_view="frames")[
        "metrics"
    ]
    assert row["status"] == "not computed: the classifier was trained on mean events"
    assert row["details"]["remedy"] == "measure with --events mean"


def test_every_network_names_how_clips_became_images(tmp_path, random, small_inception):
    np.savez(tmp_path / "samples.npz", frames=random.integers(0, 2, (2, 2, 2, 28, 28)).astype(np.uint8) * 255)
    for view, words, count in (("accumulated", "sum over time", 2), ("frames", "each frame", 4)):
        (row,) = measure_to_file(
            *[tmp_path / "samples.npz"] * 2, ["fid"], tmp_path / "m.json", weights=small_inception, event_view=view
        )["metrics"]
        assert f"events: {words}" in row["protocol"]
        assert row["n"] == count


@pytest.mark.parametrize(("view", "words"), [("mean", "mean over time"), ("accumulated", "sum over time")])
def test_neighbours_and_statistics_name_how_clips_became_images(tmp_path, random, small_inception, view, words):
    counts = random.poisson(0.3, (8, 2, 2, 28, 28)).astype(np.float32)
    folder = write_prepared(tmp_path / "events", counts[:5], counts[5:], kind="events")
    np.savez(tmp_path / "samples.npz", frames=(random.random((3, 2, 2, 28, 28)) < 0.3).astype(np.uint8) * 255)
    # Too narrow for a distance, which would take long; the protocol is written all the same.
    np.savez(tmp_path / "statistics.npz", mu=np.zeros(3), sigma=np.eye(3))
    for reference, name in ((folder, "nearest_neighbour"), (tmp_path / "statistics.npz", "fid")):
        (row,) = measure_to_file(
            tmp_path / "samples.npz", reference, [name], tmp_path / "m.json", weights=small_inception, event_view=view
        )["metrics"]
        assert row["protocol"].count(f"events: {words}") == 1


def test_protocols_of_images_name_no_events(tmp_path, digits, digits_folder, small_inception):
    np.save(tmp_path / "a.npy", digits[0][:3, :, 2:30, 2:30])
    # Too narrow for a distance, which would take long; the protocol is written all the same.
    np.savez(tmp_path / "statistics.npz", mu=np.zeros(3), sigma=np.eye(3))
    for reference, name in ((digits_folder, "nearest_neighbour"), (tmp_path / "statistics.npz", "fid")):
        (row,) = measure_to_file(tmp_path / "a.npy", reference, [name], tmp_path / "m.json", weights=small_inception)[
            "metrics"
        ]
        assert row["protocol"]
        assert "events" not in row["protocol"]


def test_draws_give_an_interval_over_latents(samples, trained_digits, tmp_path):
    document = measure_to_file(samples, trained_digits, ["cfd", "ccs", "kid_classifier"], tmp_path / "m.json", draws=3)
    images, reference = open_images(samples), open_split(trained_digits)
    options = Options(Sources(trained_digits))
    for name, row in _by_metric(document).items():
        each = [
            _by_metric(measure_images(images.subset(np.arange(start, start + 83)), reference, [name], options=options))[
                name
            ]
            for start in (0, 83, 166)
        ]
        values = np.array([part["value"] for part in each])
        assert row["details"]["values"] == pytest.approx(values)
        assert row["value"] == pytest.approx(values.mean())
        # Student's t for 2 degrees of freedom: 4.303.
        margin = 4.3027 * values.std(ddof=1) / np.sqrt(3)
        assert (row["low"], row["high"]) == pytest.approx((row["value"] - margin, row["value"] + margin), rel=1e-4)
        assert row["n"] == 83
        assert "95 % t interval over 3 sets of fresh latents" in row["protocol"]


def test_more_draws_than_images_are_refused(samples, trained_digits, tmp_path):
    with pytest.raises(InputError, match="250 images, too few for 200 draws"):
        measure_to_file(samples, trained_digits, ["cfd"], tmp_path / "m.json", draws=200)


def test_float_tensors_have_a_declared_range(digits, trained_digits):
    import torch

    bytes_ = digits[0][:60, :, 2:30, 2:30]
    floats = torch.from_numpy(bytes_).float() / 255
    options = Options(Sources(trained_digits))
    (exact,) = measure_images(bytes_, open_split(trained_digits), ["cfd"], options=options)["metrics"]
    (same,) = measure_images(floats, open_split(trained_digits), ["cfd"], value_range="unit", options=options)[
        "metrics"
    ]
    # Not bit for bit: a convolution may take another order for another layout in memory.
    assert same["value"] == pytest.approx(exact["value"], rel=1e-6)
    with pytest.raises(InputError, match="declare their range"):
        measure_images(floats, open_split(trained_digits), ["cfd"], options=options)


def test_unlabelled_data_point_to_the_autoencoder(tmp_path, digits):
    from sgad.measures.extractors.classifier import train_classifiers

    images = digits[0][:120]
    folder = write_prepared(tmp_path / "faces", images, images)
    train_classifiers(folder, folder / "classifier", epochs=1)
    np.save(tmp_path / "a.npy", images)
    rows = _by_metric(
        measure_to_file(tmp_path / "a.npy", folder, ["cfd", "fad_own", "kid_fad_own"], tmp_path / "m.json")
    )
    assert rows["cfd"]["status"] == "not computed: no labels to train a classifier on"
    assert rows["fad_own"]["value"] == pytest.approx(0, abs=1e-6)
    assert rows["kid_fad_own"]["status"] == "computed"


def test_nothing_is_written_on_bad_input(tmp_path, trained_digits):
    np.save(tmp_path / "a.npy", np.zeros((4, 1, 30, 30), np.uint8))
    with pytest.raises(InputError, match=r"a.npy has images of shape"):
        measure_to_file(tmp_path / "a.npy", trained_digits, ["cfd"], tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()


def test_weights_are_told_apart_by_what_they_hold(tmp_path, small_inception, trained_digits):
    assert identify_weights(small_inception) == "inception"
    assert identify_weights(trained_digits / "classifier") == "classifier"
    with pytest.raises(InputError, match="does not exist"):
        identify_weights(tmp_path / "absent.pth")
    with pytest.raises(InputError, match=r"folder without classifier.json"):
        identify_weights(tmp_path)


def test_baselines_give_floor_ceiling_and_copies(trained_digits, tmp_path):
    document = baselines_to_file(trained_digits, ["cfd", "recall_classifier"], tmp_path / "b.json", num=250)
    assert json.loads((tmp_path / "b.json").read_text()) == document
    rows = {(row["model"], row["metric"]): row for row in document["metrics"]}
    assert {model for model, _ in rows} == {"real_train", "noise", "train_copy"}
    assert rows["real_train", "cfd"]["value"] < 0.3 * rows["noise", "cfd"]["value"]
    assert rows["train_copy", "nearest_neighbour"]["value"] == 0
    assert 0.7 < rows["real_train", "nearest_neighbour"]["value"] < 1.3
    assert rows["noise", "nearest_neighbour"]["value"] > 2
    assert "own copy left out" in rows["real_train", "nearest_neighbour"]["protocol"]


def test_baselines_are_the_same_twice(trained_digits):
    assert baselines(trained_digits, ["cfd"], num=50) == baselines(trained_digits, ["cfd"], num=50)


def test_noise_does_not_depend_on_the_order_of_reading():
    noise = noise_images((1, 5, 5), 20)
    np.testing.assert_array_equal(noise.read(np.array([7, 3]))[0], noise.read(np.arange(20))[7])
    assert noise.content_hash() != noise_images((1, 5, 5), 20, seed=1).content_hash()


def test_the_mathematics_and_the_stage_need_no_torch():
    modules = "frechet, images, quantities, stage, baselines, readers, reference"
    mathematics = "frechet, kernel, moments, neighbours, inception_score"
    code = (
        f"from sgad.measures import {modules}\nfrom sgad.measures.mathematics import {mathematics}\n"
        "from sgad.measures.extractors import weights, cache\nimport sys\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_published_statistics_can_be_the_reference(tmp_path, trained_digits, digits):
    from sgad.measures.extractors.classifier import load_classifiers
    from sgad.measures.extractors.features import extract
    from sgad.measures.mathematics.moments import moments_of

    images = digits[0][:200, :, 2:30, 2:30]
    np.save(tmp_path / "a.npy", images)
    classifier = load_classifiers(trained_digits / "classifier")[0]
    moments = moments_of(extract(classifier, images_of_array(images)).values)
    np.savez(tmp_path / "statistics.npz", mu=moments.mean, sigma=moments.covariance)
    rows = _by_metric(
        measure_to_file(
            tmp_path / "a.npy",
            tmp_path / "statistics.npz",
            ["cfd", "ccs", "kid_classifier", "nearest_neighbour"],
            tmp_path / "m.json",
            weights=trained_digits / "classifier",
        )
    )
    # The statistics are the first classifier's; the others see other features.
    assert rows["cfd"]["details"]["values"][0] == pytest.approx(0, abs=1e-8)
    assert rows["ccs"]["value"] > 2
    assert rows["kid_classifier"]["status"] == "not computed: the reference holds statistics only"
    assert rows["nearest_neighbour"]["value"] is None
    np.savez(tmp_path / "narrow.npz", mu=np.zeros(3), sigma=np.eye(3))
    document = measure_to_file(
        tmp_path / "a.npy", tmp_path / "narrow.npz", ["cfd"], tmp_path / "m.json", weights=trained_digits / "classifier"
    )
    assert document["metrics"][0]["status"] == "not computed: narrow.npz is of 3 features, this network has 64"
    np.savez(tmp_path / "wrong.npz", mu=np.zeros(3), sigma=np.eye(4))
    with pytest.raises(InputError, match=r"wrong.npz has mu"):
        measure_to_file(tmp_path / "a.npy", tmp_path / "wrong.npz", ["cfd"], tmp_path / "m.json")


def test_measures_on_valid_compare_with_held_out_training_images(trained_digits, tmp_path):
    train = np.load(trained_digits / "train.images.npy")
    held_out = train[held_out_rows(train)]
    np.savez(tmp_path / "same.npz", images=held_out)
    found = measure_to_file(tmp_path / "same.npz", trained_digits, ["cfd_val", "cfd"], tmp_path / "m.json")
    on_valid, on_test = found["metrics"]
    assert (on_valid["metric"], on_test["metric"]) == ("cfd_val", "cfd")
    assert on_valid["value"] == pytest.approx(0, abs=1e-6) and on_test["value"] > 1e-3
    assert "valid split; n=120 generated, 120 reference" in on_valid["protocol"]
    assert "test split; n=120 generated, 300 reference" in on_test["protocol"]


def test_without_a_prepared_data_set_there_are_no_held_out_images(samples, tmp_path):
    (row,) = measure_to_file(samples, samples, ["cfd_val"], tmp_path / "m.json")["metrics"]
    assert row["value"] is None and "only a prepared data set has held-out training images" in row["status"]


def test_the_floor_on_valid_holds_no_copy_of_its_reference(trained_digits):
    floor = baselines(trained_digits, ["cfd_val"], num=1200)["metrics"]
    values = {row["model"]: row["value"] for row in floor if row["metric"] == "cfd_val"}
    assert 0 < values["real_train"] == values["train_copy"] < values["noise"]
    assert "n=1080 generated, 120 reference" in next(row["protocol"] for row in floor if row["metric"] == "cfd_val")
