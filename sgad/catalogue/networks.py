"""The feature networks that metrics are made of."""

from sgad.catalogue.declarations import Network

#: Name of a protocol of the Inception network -> suffix of the metric keys that it makes.
PROTOCOLS = {"torch-fidelity": "tf1", "pytorch-fid": "torch", "clean": "clean"}
_WHERE = {"torch-fidelity": "torch-fidelity", "pytorch-fid": "pytorch-fid", "clean": "clean-fid"}
_AUTOENCODERS = {
    "fad_fsvae": "FSVAE protocol",
    "fad_fsddim": "FSDDIM protocol",
    "fad_eval": "evaluation mode",
    "fad_own": "own autoencoder",
}
_FILES = {"fad_own": ("classifier/autoencoder.safetensors",)}
#: The images themselves as features: needs no weights.
PIXELS = "pixels"
NETWORKS: dict[str, Network] = {
    network.key: network
    for network in (
        Network("classifier", "classifier", "classifier", "classifier", files=("classifier/classifier.json",)),
        *(
            Network(f"inception_{suffix}", "inception", _WHERE[name], f"Inception, {_WHERE[name]}", suffix)
            for name, suffix in PROTOCOLS.items()
        ),
        *(
            Network(key, "autoencoder", where, f"FAD, {where}", files=_FILES.get(key, ()))
            for key, where in _AUTOENCODERS.items()
        ),
        Network(PIXELS, "pixels", "pixels", "pixels"),
    )
}
INCEPTION = tuple(key for key, network in NETWORKS.items() if network.kind == "inception")
AUTOENCODERS = tuple(_AUTOENCODERS)
