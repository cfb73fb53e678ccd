#!/usr/bin/env bash
# Print what Snakemake wants to know of a Job: success, running or failed.
set -euo pipefail
if ! state=$(kubectl get job "$1" -o 'jsonpath={.status.succeeded}/{.status.failed}' 2>&1); then
    # A Job that is gone has failed; an answer that did not come says nothing.
    case $state in *NotFound*) echo failed ;; *) echo running ;; esac
    exit 0
fi
case $state in
1/*) echo success ;;
/ | 0/ | 0/0 | /0) echo running ;;
*) echo failed ;;
esac
