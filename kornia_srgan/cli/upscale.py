"""`kornia-srgan upscale`: enlarge pictures and videos."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kornia_srgan.atomic import write_text
from kornia_srgan.cli.options import DeviceOption, PluginOption, ThreadsOption, TileOption, check_writable

if TYPE_CHECKING:
    from kornia_srgan.cli.upscale_video import ClipResult


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IN",
            help="Pictures, videos, folders, patterns, s3://... or https://...; - for standard input.",
        ),
    ],
    *,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="Folder or s3://...; for a single input also a file, or - for stdout."
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            help="Packaged name, file (.safetensors, .pth, .onnx), hf-hub:... or omdb:... [default: photo-x4]"
        ),
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(metavar="WEIGHTS", help="Weights to apply to the result; repeatable."),
    ] = None,
    interpolate: Annotated[
        tuple[str, str, float] | None,
        typer.Option(metavar="A B X", help="Between two weights: 0 is A, 1 is B, instead of --weights."),
    ] = None,
    restore: Annotated[
        str,
        typer.Option(
            metavar="auto|0..1", help="How much noise and compression to remove; auto estimates it."
        ),
    ] = "auto",
    sharp: Annotated[
        float, typer.Option(metavar="0..1", help="How far to go towards GAN weights; they invent texture.")
    ] = 0.0,
    scale: Annotated[float | None, typer.Option(help="Times the input [default: the model's]")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Of the result, in pixels.")] = None,
    long_side: Annotated[int | None, typer.Option(min=1, help="Of the result, in pixels.")] = None,
    ensemble: Annotated[
        bool,
        typer.Option(
            "--ensemble", help="Average the results of eight flips and rotations; 8 times the work."
        ),
    ] = False,
    color_fix: Annotated[
        bool, typer.Option("--color-fix", help="Take the coarse colour from the input.")
    ] = False,
    tile: TileOption = "auto",
    device: DeviceOption = "auto",
    dtype: Annotated[
        str,
        typer.Option(help="auto (fastest with the same picture), float32 (exact), float16 or bfloat16."),
    ] = "auto",
    engine: Annotated[
        str, typer.Option(help="torch, onnxruntime, openvino, or auto (measures the fastest).")
    ] = "torch",
    provider: Annotated[
        str | None,
        typer.Option(
            help="Execution provider of onnxruntime: cpu, cuda, tensorrt, directml, coreml, openvino."
        ),
    ] = None,
    threads: ThreadsOption = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="png, jpeg, webp, tiff, avif, gif, bmp [default: a lossless one]; mp4, mkv, ... for videos",
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Quality of jpeg, webp and avif [default: lossless, or 95]"),
    ] = None,
    subsampling: Annotated[
        Literal["4:4:4", "4:2:2", "4:2:0"], typer.Option(help="Colour resolution of jpeg and avif.")
    ] = "4:4:4",
    background: Annotated[
        str, typer.Option(help="Background for formats without transparency: white, #rrggbb.")
    ] = "white",
    name: Annotated[
        str,
        typer.Option(help="Names of results, from {stem}, {ext}, {size} (x4, 1600w, 1600px) and {scale}."),
    ] = "{stem}_{size}",
    overwrite: Annotated[
        bool, typer.Option("--overwrite/--skip-existing", help="What to do if a result exists.")
    ] = True,
    recursive: Annotated[bool, typer.Option(help="Search subfolders.")] = True,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Files in work at the same time [default: 2, large ones 1]")
    ] = None,
    share: Annotated[
        str | None,
        typer.Option(
            metavar="2/5|auto",
            help="Files for this machine: 2/5 is the second of five shares, auto what no other has claimed.",
        ),
    ] = None,
    num_processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes that share files, large pictures and videos; each on its cores or GPU."
        ),
    ] = None,
    launched: Annotated[bool, typer.Option("--launched", hidden=True)] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Largest input in megapixels.")] = 250,
    codec: Annotated[
        str | None,
        typer.Option(help="Video codec: h264, hevc, av1, vp9, prores, ffv1 [default: h264 or hevc]"),
    ] = None,
    crf: Annotated[
        float | None, typer.Option(help="Video quality, lower is better [default: 16 to 20]")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Preset of the video encoder, such as slow.")] = None,
    pixel_format: Annotated[
        str | None,
        typer.Option(help="Video pixel format, such as yuv444p or yuv420p10le [default: the clip's]"),
    ] = None,
    encoder_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Option of the video encoder; repeatable.")
    ] = None,
    container: Annotated[
        str | None,
        typer.Option(help="Video container: mp4, mov, mkv, webm [default: the clip's, or mkv]"),
    ] = None,
    container_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Option of the container; repeatable.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Start of the part of a video to enlarge: 12.5 or 1:02:03."),
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="End of that part.")] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="FPS", help="Frame rate of numbered pictures: 25, 30000/1001 [default: 25]"),
    ] = None,
    steady: Annotated[
        float, typer.Option(min=0, max=1, help="How strongly to reduce the flicker of a video.")
    ] = 0.0,
    deinterlace: Annotated[
        bool, typer.Option(help="Deinterlace videos that are marked as interlaced.")
    ] = True,
    segment: Annotated[
        float, typer.Option(min=0.01, help="Seconds of a video per segment; a stop loses at most one.")
    ] = 2.0,
    resume: Annotated[
        bool | None,
        typer.Option("--resume/--no-resume", help="Continue a stopped video, or start it again."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write a report to this file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    plugin: PluginOption = None,
) -> None:
    """Enlarge photographs and videos.

    Metadata, bit depth and transparency are kept; of videos also sound and frame times. Videos are files,
    numbered pictures (frames/%05d.png), or y4m on standard input.
    """
    from kornia_srgan.cli.clip_options import container_meant, identity_of, picture_format
    from kornia_srgan.cli.quiet import libraries_silenced
    from kornia_srgan.cli.upscale_video import clips_in_folders, enlarge_clips, split_clips
    from kornia_srgan.cli.upscale_view import failure_reason, list_left_out, make_report, show_note
    from kornia_srgan.cli.upscale_work import (
        check_output,
        crew_of,
        enlarge_pictures,
        exit_with,
        format_for,
        local_output,
        restore_of,
        share_of,
        sources_of,
        state_range,
        tile_of,
    )

    with libraries_silenced(quiet), ExitStack() as stack:
        from kornia_srgan.allocator import keep_freed_memory
        from kornia_srgan.batch.naming import Naming
        from kornia_srgan.inference.recipe import Recipe
        from kornia_srgan.inference.rescale import EvenWanted, Rescaler, Wanted
        from kornia_srgan.inference.upscaler import Upscaler
        from kornia_srgan.photos.formats import WriteOptions, parse_color
        from kornia_srgan.registry.plugins import load_plugins
        from kornia_srgan.video.options import VideoOptions, parse_pairs, parse_rate, parse_time

        if json_file is not None:
            check_writable(json_file)
        wanted = Wanted(scale, width, long_side)
        clips, others = split_clips(inputs)
        part = share_of(share, launched=launched)
        place, address = stack.enter_context(local_output(output, others, clips, part))
        form = picture_format(file_format, clips, others, place)
        options = WriteOptions(quality, subsampling, parse_color(background))
        video = VideoOptions(
            codec=codec,
            crf=crf,
            preset=preset,
            pixel_format=pixel_format,
            encoder_options=parse_pairs(encoder_option),
            container_options=parse_pairs(container_option),
            start=parse_time(start) if start else None,
            end=parse_time(end) if end else None,
            rate=parse_rate(rate) if rate else None,
            segment=segment,
            resume=resume,
            steady=steady,
            deinterlace=deinterlace,
            existing="overwrite" if overwrite else "skip",
        )
        arrays = weights is not None and state_range(weights)
        found = sources_of(others, recursive, arrays=arrays)
        left_out = (*found.left_out, *clips_in_folders(others, recursive=recursive))
        sources = found.files
        check_output(place, len(sources), len(clips))
        load_plugins(plugin or ())
        keep_freed_memory()
        if interpolate is not None and weights is not None:
            raise typer.BadParameter("give it or --weights, not both", param_hint="--interpolate")
        upscaler = Upscaler.from_pretrained(
            weights,
            interpolate=interpolate,
            ensemble=ensemble,
            color_fix=color_fix,
            restore=restore_of(restore),
            sharp=sharp,
            then=then or (),
            tile=tile_of(tile),
            device=device,
            dtype=dtype,
            engine=engine,
            provider=provider,
        )
        show_note(upscaler, quiet)
        form = format_for(upscaler, form, place, clips)
        factor = None if width or long_side else scale or upscaler.scale
        naming = Naming(wanted.label(upscaler.scale), factor, name)
        crew = stack.enter_context(
            crew_of(num_processes, threads, device, plugin or [], launched=launched, quiet=quiet)
        )
        outcomes = enlarge_pictures(
            sources,
            place,
            address,
            upscaler,
            wanted,
            naming,
            options,
            form=form,
            existing="overwrite" if overwrite else "skip",
            jobs=jobs,
            share=part,
            crew=crew,
            max_pixels=max_pixels * 1_000_000,
            quiet=quiet,
        )
        results: list[ClipResult] = []
        if clips:
            recipe = Recipe(
                weights,
                interpolate=interpolate,
                ensemble=ensemble,
                color_fix=color_fix,
                sharp=sharp,
                then=then or (),
            )
            results = enlarge_clips(
                clips,
                place,
                Rescaler(upscaler, EvenWanted(scale, width, long_side)),
                naming,
                video,
                container=container or container_meant(file_format),
                identity={**identity_of(recipe), "dtype": dtype, "engine": engine},
                write=options,
                share=part,
                crew=crew,
                max_pixels=max_pixels * 1_000_000,
                quiet=quiet,
            )
    if json_file is not None:
        write_text(json_file, make_report(outcomes, left_out, upscaler, [r.report() for r in results]))
    list_left_out([] if quiet else left_out)
    exit_with(
        [o.error for o in outcomes] + [r.error for r in results],
        [*map(failure_reason, outcomes), *(r.reason for r in results)],
    )
