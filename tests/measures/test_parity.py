"""The whole way, image files to values, beside torch-fidelity, pytorch-fid's command line and clean-fid."""

import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from sgad.measures.stage import measure_to_file

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

N = 60


@pytest.fixture(scope="module")
def folders(digits, tmp_path_factory):
    """Even digits against odd ones, as PNG files, and the random Inception of design/metrics.md."""
    images, labels = digits
    root = tmp_path_factory.mktemp("parity")
    for name, chosen in (("even", images[labels % 2 == 0][:N]), ("odd", images[labels % 2 == 1][:N])):
        (root / name).mkdir()
        for index, image in enumerate(chosen):
            Image.fromarray(image[0]).save(root / name / f"{index:03d}.png")
    return root / "even", root / "odd"


@pytest.fixture(scope="module", params=[0, 7])
def weights(request, make_inception, digits):
    return make_inception(digits[0][:48], seed=request.param)


def _ours(folders, weights, protocol, out, measures=("fid", "is", "kid", "prc")):
    document = measure_to_file(*folders, measures, out, weights=weights, protocol=protocol)
    return {re.sub(r"_inception.*", "", row["metric"]): row for row in document["metrics"]}


def test_torch_fidelity(folders, weights, tmp_path):
    from torch_fidelity import calculate_metrics

    ours = _ours(folders, weights, "torch-fidelity", tmp_path / "m.json")
    theirs = calculate_metrics(
        input1=str(folders[0]),
        input2=str(folders[1]),
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        kid_subset_size=N,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights),
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        batch_size=20,
    )
    assert ours["fd"]["value"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours["is"]["value"] == pytest.approx(theirs["inception_score_mean"], rel=1e-4)
    deviation = ours["is"]["details"]["deviation_over_chunks"]
    assert deviation == pytest.approx(theirs["inception_score_std"], rel=1e-3)
    subsets = ours["kid"]["details"]["subsets_mean"]
    assert subsets == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-3)
    assert ours["precision"]["value"] == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours["recall"]["value"] == pytest.approx(theirs["recall"], abs=1e-6)
    assert ours["fd"]["details"]["rank_deficient"]


def test_pytorch_fids_command_line(folders, weights, tmp_path):
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    # It takes whatever lies under this name.
    (checkpoints / "pt_inception-2015-12-05-6726825d.pth").symlink_to(weights)
    command = [sys.executable, "-m", "pytorch_fid", *map(str, folders), "--device", "cpu", "--num-workers", "0"]
    environment = os.environ | {"TORCH_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    theirs = float(re.search(r"FID:\s+([\d.]+)", done.stdout)[1])
    ours = _ours(folders, weights, "pytorch-fid", tmp_path / "m.json", ("fid",))
    assert ours["fd"]["value"] == pytest.approx(theirs, rel=1e-4)


def test_clean_fid(folders, weights, tmp_path):
    from torch_fidelity import feature_extractor_inceptionv3 as module
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3("clean", ["2048"], feature_extractor_weights_path=str(weights))

    def features(batch):
        # Its own TorchScript file cannot be had; the same graph gets what its resize hands over, 0..255.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "vassert", lambda *_: None)
            patch.setattr(module, "interpolate_bilinear_2d_like_tensorflow1x", lambda x, **_: x)
            return network(batch)[0]

    with warnings.catch_warnings():
        # scipy's `disp` and clean-fid's own.
        warnings.simplefilter("ignore")
        from cleanfid.fid import compute_fid

        theirs = compute_fid(
            *map(str, folders),
            mode="clean",
            custom_feat_extractor=features,
            num_workers=0,
            batch_size=20,
            device=torch.device("cpu"),
            use_dataparallel=False,
            verbose=False,
            custom_image_tranform=lambda image: np.repeat(image[..., None], 3, 2) if image.ndim == 2 else image,
        )
    ours = _ours(folders, weights, "clean", tmp_path / "m.json", ("fid",))
    assert ours["fd"]["value"] == pytest.approx(theirs, rel=1e-4)
