#!/usr/bin/env bash
# A suite in 4 parts, one HF Job each, into a bucket: ORG=my-org IMAGE=my-image bash hf-jobs.sh
# When all have completed, with the bucket's runs/ at hand: adaptbench merge runs/*.run.zip --out suite
# A run is written on the job's own disk, as a bucket has no renames; exit code 4 says that some cells failed.
set -euo pipefail
parts=4
for part in $(seq "$parts"); do
  hf jobs run --detach --flavor a10g-small --timeout 12h --secrets HF_TOKEN \
    --volume "hf://buckets/$ORG/adaptbench:/data" "$IMAGE" bash -ec "
      adaptbench run /data/suite.yaml --shard $part/$parts --out /tmp/suite-$part || [ \$? = 4 ]
      adaptbench pack /tmp/suite-$part --out /data/runs/suite-$part.run.zip"
done
