# docker build --tag sgad .                              for a CPU
# docker build --tag sgad --build-arg DEVICE=cuda .      for NVIDIA cards (run with --gpus all)
# docker run --rm -it -v "$PWD/work:/work" sgad snakemake --snakefile /opt/sgad/Snakefile --cores 2 --config experiment=quick
ARG DEVICE=cpu

FROM python:3.11-slim-bookworm AS base
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# gcc and the headers of libc: Triton compiles its launchers where it runs. tini hands a cluster's SIGTERM on to the training.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev git make tini \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1

FROM base AS cpu
# The same version of torch without CUDA's libraries: a tenth of the size.
ENV PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu

FROM base AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# hadolint ignore=DL3006
FROM ${DEVICE} AS final
WORKDIR /opt/sgad
COPY constraints.txt pyproject.toml README.md LICENSE Snakefile ./
COPY workflow workflow
COPY profiles profiles
COPY configs configs
COPY sgad sgad
COPY zoo zoo
RUN pip install --no-cache-dir --constraint constraints.txt --editable '.[all,slurm,kubernetes]' \
    && sgad --help > /dev/null \
    && useradd --create-home --uid 1000 sgad \
    && mkdir /work && chown sgad:sgad /work
# Compiled kernels of numba and Triton, and the fonts of matplotlib, go where any user may write.
ENV NUMBA_CACHE_DIR=/tmp/numba \
    TRITON_CACHE_DIR=/tmp/triton \
    MPLCONFIGDIR=/tmp/matplotlib
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["tini", "--"]
CMD ["sgad", "doctor"]
