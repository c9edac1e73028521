#!/usr/bin/env bash
# Train one of the packaged weights again, as it was trained:
#
#   docs/train_weights.sh NAME FOLDER [FOLDER...]      (folders of photographs; NAME: edsr-x4, edsr-x2,
#   edsr-large-x4, edge-x4, srresnet-x4, srgan-x4, photo-x4, photo-x2, photo-large-x4 or photo-gan-x4)
#
# Runs and weights go into ./zoo-runs. Set PRECISION=no on a CPU without AVX-512 bf16, and VGG16=FILE (in timm's or
# torchvision's keys) where the GAN weights cannot download VGG16. docs/results.md says what each cost.
set -euo pipefail
name=${1:?usage: docs/train_weights.sh NAME FOLDER [FOLDER...]}
shift
folders=("$@")
data=()
for folder in "$@"; do data+=(--data "$folder"); done
out=zoo-runs
set_vgg16=()
if [ -n "${VGG16:-}" ]; then set_vgg16=(--set "stages.0.losses.1.args.extractor.args.weights=$VGG16"); fi
set_precision=(--set "train.precision=${PRECISION:-bf16}")

train() { # RECIPE RUN [--set ...]
  kornia-srgan train "$1" "${data[@]}" "${set_precision[@]}" --output "$out/$2" "${@:3}"
}

keep_colours() { # NAME RUN STEPS [--degradation NAME]: white and strong colours stay, the rest stays as it is
  mkdir -p "$out/$1"
  python "$(dirname "$0")/keep_colours.py" "$out/$2/generator.safetensors" "$out/$1/generator.safetensors" \
    "${folders[@]}" --steps "${@:3}"
}

with_smaller_copies() { # train on the photographs and smaller copies of them
  mkdir -p "$out"
  python "$(dirname "$0")/smaller_copies.py" "$out/smaller-copies" "${folders[@]}"
  data=(--data "$out/smaller-copies")
}

taught_by() { # TEACHER: train on what the ensemble of a network makes of the smaller copies
  python "$(dirname "$0")/teach_pairs.py" "$1" "$out/pairs" "$out/smaller-copies"
  data=(--hr "$out/pairs/hr" --lr "$out/pairs/lr")
}

crops_192=(--set data.crop=192 --set train.batch_size=6)
large=("${crops_192[@]}" --set generator.args.channels=96 --set generator.args.num_blocks=16)
flat=(--set 'data.augmentations=[dihedral, {name: flat_patches, args: {p: 0.06}}]')

photo_damage() { # BLUR_P NOISE_P NOISE QUALITY TWICE_P: sets `damage`, for the stages of the recipe
  local stages=data.degradation.args.stages
  damage=(--set "$stages.0.args.p=$1" --set "$stages.2.args.p=$2" --set "$stages.2.args.sigma=$3"
    --set "$stages.3.args.p=0.75" --set "$stages.3.args.quality=$4" --set "$stages.4.args.p=$5")
}

edsr_x4() {
  train edsr edsr
  # Patches of 48 LR pixels: less of each is border, and whole photographs have little of it.
  local larger=("${crops_192[@]}" --set stages.0.schedule.warmup_steps=100)
  train edsr edsr-large "${larger[@]}" --set "init=$out/edsr/generator.safetensors" --set train.seed=1 \
    --set train.lr=4e-4 --set stages.0.steps=7000
  kornia-srgan blend "$out/edsr/generator.safetensors" "$out/edsr-large/generator.safetensors" \
    --output "$out/edsr-blend.safetensors"
  train edsr edsr-mse "${larger[@]}" --set "init=$out/edsr-blend.safetensors" --set train.seed=2 \
    --set train.lr=1e-4 --set train.grad_clip=0.1 --set stages.0.steps=1300 --set 'stages.0.losses=[mse]'
  kornia-srgan blend "$out/edsr-blend.safetensors" "$out/edsr-mse/generator.safetensors" \
    --output "$out/edsr-before.safetensors"
  # With flat patches, so that white and strong colours stay what they are.
  train edsr edsr-x4 "${larger[@]}" --set "init=$out/edsr-before.safetensors" --set train.seed=3 \
    --set train.lr=4e-4 --set stages.0.steps=12000 \
    --set 'data.augmentations=[dihedral, {name: flat_patches, args: {p: 0.08}}]'
}

edge_x4() { # taught by the packaged edsr-large-x4
  with_smaller_copies
  train edge edge-first "${flat[@]}" --set train.seed=91 --set train.grad_clip=0.3 --set stages.0.steps=3000
  taught_by edsr-large-x4
  train edge edge-taught --set "init=$out/edge-first/generator.safetensors" --set train.seed=92
  train edge edge-x4 --set "init=$out/edge-taught/generator.safetensors" --set train.seed=95 --set train.lr=4e-4 \
    --set stages.0.steps=10000
}

edsr_large_x4() { # from the packaged edsr-x4
  with_smaller_copies
  python "$(dirname "$0")/grow_edsr.py" edsr-x4 "$out/edsr-grown.safetensors" --channels 96 --blocks 16
  train edsr edsr-large-l1 "${large[@]}" "${flat[@]}" --set "init=$out/edsr-grown.safetensors" --set train.seed=11 \
    --set train.lr=4e-4 --set stages.0.steps=14000
  train edsr edsr-large-mse "${large[@]}" "${flat[@]}" --set "init=$out/edsr-large-l1/generator.safetensors" \
    --set train.seed=12 --set train.lr=2e-4 --set train.grad_clip=0.1 --set stages.0.schedule.warmup_steps=100 \
    --set stages.0.steps=5400 --set 'stages.0.losses=[mse]'
  kornia-srgan blend "$out/edsr-large-l1/generator.safetensors" "$out/edsr-large-mse/generator.safetensors" \
    --output "$out/edsr-large-blend.safetensors"
  train edsr edsr-large-more "${large[@]}" "${flat[@]}" --set "init=$out/edsr-large-blend.safetensors" \
    --set train.seed=21 --set train.lr=4e-4 --set train.grad_clip=0.1 --set stages.0.schedule.warmup_steps=200 \
    --set stages.0.steps=8000
  kornia-srgan blend "$out/edsr-large-blend.safetensors" "$out/edsr-large-more/generator.safetensors" \
    --output "$out/edsr-large-start.safetensors"
  taught_by "$out/edsr-large-blend.safetensors" # to give at once what its ensemble of eight gives
  train edsr edsr-large-x4 "${large[@]}" --set "init=$out/edsr-large-start.safetensors" --set train.seed=31 \
    --set train.lr=3e-4 --set train.grad_clip=0.1 --set stages.0.schedule.warmup_steps=100 --set stages.0.steps=8000
}

srresnet_x4() { # from the packaged edsr-x4
  mkdir -p "$out"
  python "$(dirname "$0")/grow_srresnet.py" edsr-x4 "$out/srresnet-grown.safetensors" "${folders[@]}"
  train srresnet-light srresnet --set "init=$out/srresnet-grown.safetensors"
  # With flat patches, so that white and strong colours stay what they are. The packaged weights: 1,500 steps of a run
  # of 3,000, then 500 more down to the end of the schedule.
  train srresnet-light srresnet-flat --set "init=$out/srresnet/generator.safetensors" --set train.seed=7 \
    --set data.crop=192 --set train.batch_size=6 --set train.lr=2e-4 --set train.ema_decay=0.99 \
    --set stages.0.steps=2000 --set 'data.augmentations=[dihedral, {name: flat_patches, args: {p: 0.1}}]'
  keep_colours srresnet-colours srresnet-flat 400
  keep_colours srresnet-x4 srresnet-colours 80 --exact
}

photo_x4() { # from the packaged edsr-x4
  train photo photo
  local stages=data.degradation.args.stages damage
  train photo photo-larger "${crops_192[@]}" --set "init=$out/photo/generator.safetensors" --set train.seed=4 \
    --set stages.0.steps=10000 \
    --set "$stages.2.args.p=0.6" --set "$stages.3.args.p=0.75" --set "$stages.3.args.quality=[25.0,93.0]"
  kornia-srgan blend "$out/photo/generator.safetensors" "$out/photo-larger/generator.safetensors" \
    --amount 0.55 --output "$out/photo-l1.safetensors"
  with_smaller_copies
  local mse=("${crops_192[@]}" "${flat[@]}" --set train.grad_clip=0.1 --set 'stages.0.losses=[mse]')
  photo_damage 0.1 0.65 "[0.5,9.0]" "[35.0,93.0]" 0.08
  train photo photo-mse "${mse[@]}" "${damage[@]}" --set "init=$out/photo-l1.safetensors" --set train.seed=51 \
    --set train.lr=3e-4 --set stages.0.steps=5500
  kornia-srgan blend "$out/photo-l1.safetensors" "$out/photo-mse/generator.safetensors" \
    --output "$out/photo-mean.safetensors"
  photo_damage 0.1 0.65 "[0.5,9.5]" "[32.0,93.0]" 0.08
  train photo photo-more "${mse[@]}" "${damage[@]}" --set "init=$out/photo-mean.safetensors" --set train.seed=71 \
    --set stages.0.steps=10000
  mkdir -p "$out/photo-blend"
  kornia-srgan blend "$out/photo-mean.safetensors" "$out/photo-more/generator.safetensors" \
    --amount 0.4 --output "$out/photo-blend/generator.safetensors"
  keep_colours photo-x4 photo-blend 150 --degradation photo
}

photo_large_x4() { # from the packaged edsr-large-x4
  with_smaller_copies
  local damage both=("${large[@]}" "${flat[@]}" --set train.grad_clip=0.1)
  photo_damage 0.15 0.62 "[0.5,10.0]" "[30.0,93.0]" 0.1
  train photo photo-large-l1 "${both[@]}" "${damage[@]}" --set init=edsr-large-x4 --set train.seed=61
  photo_damage 0.1 0.65 "[0.5,9.0]" "[35.0,93.0]" 0.08
  train photo photo-large-mse "${both[@]}" "${damage[@]}" --set "init=$out/photo-large-l1/generator.safetensors" \
    --set train.seed=62 --set stages.0.steps=5500 --set 'stages.0.losses=[mse]'
  mkdir -p "$out/photo-large-blend"
  kornia-srgan blend "$out/photo-large-l1/generator.safetensors" "$out/photo-large-mse/generator.safetensors" \
    --amount 0.75 --output "$out/photo-large-blend/generator.safetensors"
  keep_colours photo-large-x4 photo-large-blend 120 --degradation photo
}

case $name in
  edsr-x4) edsr_x4 ;;
  edsr-large-x4) edsr_large_x4 ;;
  edge-x4) edge_x4 ;;
  edsr-x2) train edsr-x2 edsr-x2 ;;   # from the packaged edsr-x4
  srresnet-x4) srresnet_x4 ;;
  srgan-x4) # from the packaged srresnet-x4
    train srgan-light srgan-first "${set_vgg16[@]}"
    keep_colours srgan-colours srgan-first 800
    keep_colours srgan-x4 srgan-colours 260 --exact ;;
  photo-x4) photo_x4 ;;
  photo-x2) # from the packaged edsr-x2
    train photo-x2 photo-x2-first
    keep_colours photo-x2 photo-x2-first 300 --degradation photo ;;
  photo-gan-x4) # from the packaged photo-x4
    train photo-gan photo-gan-first "${set_vgg16[@]}" --set train.seed=8
    keep_colours photo-gan-x4 photo-gan-first 700 --degradation photo ;;
  photo-large-x4) photo_large_x4 ;;
  *) echo "no weights '$name'; the first lines of $0 name them" >&2; exit 2 ;;
esac
echo "weights: $out/$name/generator.safetensors"
