#!/usr/bin/env bash
# Print what Snakemake wants to know of a Job: success, running or failed.
set -euo pipefail
# Counts of pods say less: a failed pod may still write its checkpoint, and a Job can fail without one.
query='jsonpath={.status.conditions[?(@.status=="True")].type}'
if ! conditions=$(kubectl get job "$1" -o "$query" 2>&1); then
    # A Job that is gone has failed; an answer that did not come says nothing.
    case $conditions in *NotFound*) echo failed ;; *) echo running ;; esac
    exit 0
fi
case " $conditions " in
*" Complete "*) echo success ;;
*" Failed "*) echo failed ;;
*) echo running ;;
esac
