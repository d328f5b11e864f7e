#!/usr/bin/env bash
# Trains a model of clips on the CPU, in the background: tokenizer, transformer, model folder.
#
#   training/recipes/clips.sh [CHANGES]
#
# CHANGES are those of every recipe, as data=data/motion out=runs/clips tokenizer.steps=8000. The command
# comes back at once; what is said goes to recipe.log in the folder of the run. Stop it as it tells: a checkpoint
# is written first. The same command goes on from there. THREADS (1) is the number of cores.
# Rehearsal:
#   training/recipes/clips.sh out=runs/try tokenizer.steps=3 transformer.steps=3 transformer.pool=256 \
#     transformer.compile=false export.sketch_steps=0
set -euo pipefail
cd "$(dirname "$0")/../.."
out=runs/clips
for change in "$@"; do
  case $change in out=*) out=${change#out=} ;; esac
done
python3 -m training.recipe training/recipes/clips.yaml "$@" --dry-run > /dev/null # which checks all settings
mkdir -p "$out"
export OMP_NUM_THREADS=${THREADS:-1}
setsid nohup nice -n 10 python3 -m training.recipe training/recipes/clips.yaml "$@" >> "$out/recipe.log" 2>&1 &
echo "it trains, and tells $out/recipe.log; to stop it: kill -- -$!"
