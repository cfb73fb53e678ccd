#!/usr/bin/env bash
# Submit Snakemake's job script as a Kubernetes Job and print the Job's name.
#   submit.sh THREADS MEGABYTES GPUS MINUTES SCRIPT    with $SGAD_IMAGE, $SGAD_CLAIM and $SGAD_MOUNT
set -euo pipefail
threads=$1 megabytes=$2 gpus=$3 minutes=$4 script=$5
: "${SGAD_IMAGE:?name the container image}" "${SGAD_CLAIM:?name the volume claim}" "${SGAD_MOUNT:?name its mount point}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name="sgad-$(date +%s)-$RANDOM$RANDOM"
kubectl create -f - >&2 <<END
apiVersion: batch/v1
kind: Job
metadata: {name: "$name", labels: {app: sgad}}
spec:
  backoffLimit: 0 # trying again is Snakemake's affair
  ttlSecondsAfterFinished: 86400
  template:
    spec:
      restartPolicy: Never
      activeDeadlineSeconds: $((minutes * 60)) # of the pod: a Job's would count the time in the queue
      terminationGracePeriodSeconds: 60 # time for a checkpoint
      volumes: [{name: work, persistentVolumeClaim: {claimName: "$SGAD_CLAIM"}}]
      containers:
        - name: sgad
          image: "$SGAD_IMAGE"
          workingDir: "$PWD"
          command: [python3, "$here/init.py", bash, "$script"] # bash as process 1 would keep SIGTERM to itself
          volumeMounts: [{name: work, mountPath: "$SGAD_MOUNT"}]
          resources:
            requests: {cpu: "$threads", memory: "${megabytes}M"}
            limits: {memory: "${megabytes}M", nvidia.com/gpu: "$gpus"}
END
echo "$name"
