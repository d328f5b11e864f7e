#!/usr/bin/env bash
# Does as much of the study of sizes, or of the comparison of methods, as a large GPU does in some minutes.
#
#   training/recipes/study_on_gpu.sh WHAT DATA OUT [-- more flags of the command]
#
# WHAT  scaling or rivals: see training/study/README.md
# DATA  sprites and vectors of phrases, about 20 MB: python -m training.prepare.scenes --things core
# OUT   gets points, fits, plots and tokenizers; with what an earlier call left there, it goes on
#
# MINUTES (8) bounds the work: then the run in progress is given up, unless RUN (runs/study_gpu) is
# still there in the next call. Runs that are done are in OUT. Sizes go up to 100 million parameters.
# NETS (data/nets) is needed; JUDGE (none) says what drawings show. Both commands share tokenizers and OUT.
# Rehearsal on a CPU, of some minutes:
#   POOL=4096 TOKENIZER_STEPS=40 training/recipes/study_on_gpu.sh scaling data/scenes out -- --depths 1 2 --seeds 1
set -euo pipefail
WHAT=$1 DATA=$2 OUT=$3
shift 3
[ "${1:-}" = -- ] && shift
RUN=${RUN:-runs/study_gpu}
case $WHAT in
  scaling) flags=(--depths 2 3 4 6 8 11 15 20 --seeds 3) ;;
  rivals) flags=(--depths 4 8 12) ;;
  *) echo "WHAT is scaling or rivals, not $WHAT" >&2 && exit 2 ;;
esac
NETS=${NETS:-data/nets}
[ -d "$NETS" ] || { echo "no nets in $NETS: python -m training.prepare.nets --out $NETS" >&2; exit 2; }
mkdir -p "$RUN" "$OUT"
python3 -m "training.study.$WHAT" --data "$DATA" --out "$RUN/$WHAT" --results "$OUT" \
  --budget-minutes "${MINUTES:-8}" --pool "${POOL:-32768}" --batch-size "${BATCH:-64}" \
  --tokenizer-steps "${TOKENIZER_STEPS:-1500}" --level-channels 128 160 --nets "$NETS" --judge "${JUDGE:-}" --mixed-precision bf16 --save-every 100000 \
  "${flags[@]}" "$@"
