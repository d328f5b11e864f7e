#!/usr/bin/env bash
# Gives a tokenizer of scenes a larger decoder on one large GPU, within some minutes. Encoder and codes
# stay as they are, so that all tokens and transformers stay valid.
#
#   training/recipes/decoder_on_gpu.sh DATA TOKENIZER NETS OUT [-- more flags of the trainer]
#
# DATA       sprites and vectors of phrases, about 20 MB: python -m training.prepare.scenes --things core
# TOKENIZER  folder of a tokenizer, or of parts of one; a decoder of this size is trained further
# NETS       folder with squeezenet.safetensors: python -m training.prepare.nets
# OUT        gets config.json and the averaged weights in parts of at most 15 MB, anew after every save
#
# MINUTES (8) bounds the run, and the learning rate falls to its end within them; RUN
# (runs/decoder_gpu) holds the run. PAINTERS (14) processes paint scenes on the CPU meanwhile. Afterwards:
# python -m training.weight_parts join OUT models/tokenizer. Rehearsal on a CPU:
#   PAINTERS=1 BATCH=2 training/recipes/decoder_on_gpu.sh data/scenes TOKENIZER data/nets out -- --steps 3 --no-compile
set -euo pipefail
DATA=$1 TOKENIZER=$2 NETS=$3 OUT=$4
shift 4
[ "${1:-}" = -- ] && shift
RUN=${RUN:-runs/decoder_gpu} MINUTES=${MINUTES:-8}
source "$(dirname "$0")/timed_run.sh"
mkdir -p "$RUN" "$OUT"
timed_run tokenizer python3 -m training.train_tokenizer \
  --data "$DATA" --nets "$NETS" --out "$RUN" --initial "$(network_of "$TOKENIZER")" --minutes "$MINUTES" \
  --decoder-only --decoder-channels 256 320 --decoder-blocks 3 --head-channels 128 64 \
  --painters "${PAINTERS:-14}" --batch-size "${BATCH:-64}" \
  --steps 100000 --warmup-steps 200 --learning-rate "${RATE:-8e-4}" --ema-decay 0.998 \
  --perceptual-view whole --perceptual-weight 0.5 --adversarial-weight 0.15 --adversarial-after 0.35 \
  --latent-noise 0.1 --scale-dropout 0.25 --save-every "${SAVE_EVERY:-1000}" --evaluate-every 100000 \
  --mixed-precision bf16 --compile "$@"
