"""A method for each kind of job.

Derived from the API's description by clients/python/generate.py; edit that, not this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from impasto_client.pictures import LEFT_OUT

if TYPE_CHECKING:
    from impasto_client._generated.options import (
        ActivationsOptions,
        AdversarialOptions,
        ArchitectureOptions,
        ClassifyOptions,
        ClassMapOptions,
        ClassVisualizationOptions,
        DeepDreamOptions,
        EmbeddingOptions,
        EvaluateOptions,
        ExportNetworkOptions,
        FeatureInversionOptions,
        FeatureVisualizationOptions,
        FiltersOptions,
        GradientCheckOptions,
        ImportMembersOptions,
        LearningRateRangeOptions,
        MakeDatasetOptions,
        MaxPatchesOptions,
        OcclusionOptions,
        PullWeightsOptions,
        SaliencyOptions,
        StyleTransferOptions,
        TextureSynthesisOptions,
        TrainOptions,
    )
    from impasto_client._generated.results import (
        ActivationsResult,
        AdversarialResult,
        ArchitectureResult,
        ClassifyResult,
        ClassMapResult,
        ClassVisualizationResult,
        DeepDreamResult,
        EmbeddingResult,
        EvaluateResult,
        ExportNetworkResult,
        FeatureInversionResult,
        FeatureVisualizationResult,
        FiltersResult,
        GradientCheckResult,
        ImportMembersResult,
        LearningRateRangeResult,
        MakeDatasetResult,
        MaxPatchesResult,
        OcclusionResult,
        PullWeightsResult,
        SaliencyResult,
        StyleTransferResult,
        TextureSynthesisResult,
        TrainResult,
    )
    from impasto_client.async_job import AsyncJob
    from impasto_client.pictures import LeftOut, Picture, Pictures


class AsyncKinds(ABC):
    """A method for each kind of job."""

    @abstractmethod
    async def _submit(self, kind: str, given: Mapping[str, Any]) -> AsyncJob[Any]: ...

    async def style_transfer(
        self,
        content: Picture | None = None,
        style: Pictures | None = None,
        style_masks: Pictures | LeftOut | None = LEFT_OUT,
        content_mask: Picture | LeftOut | None = LEFT_OUT,
        content_weight_map: Picture | LeftOut | None = LEFT_OUT,
        fine_style: Picture | LeftOut | None = LEFT_OUT,
        init_image: Picture | LeftOut | None = LEFT_OUT,
        continue_from: Picture | None = None,
        **options: Unpack[StyleTransferOptions],
    ) -> AsyncJob[StyleTransferResult]:
        """Style transfer: Paint the content of one picture in the style of others.

        content: The picture to paint. Needed without continue_from.
        style: The painting, or up to eight of them. Needed without continue_from.
        style_masks: One picture for each style picture, in the proportions of the content: light
        where that style is painted. Each style then has losses of its own over its own region.
        content_mask: In the proportions of the content: light where it is painted, dark where it
        stays as it is, such as a face.
        content_weight_map: In the proportions of the content: the lighter, the more the content
        counts there. Only ratios matter.
        fine_style: A picture whose fine texture and colours the result has; the larger forms come
        from the style.
        init_image: The picture to start from, with init=image.
        continue_from: A finished job to go on from, at its size: steps are further ones. Params that
        are left out, pictures too, are those of that job; null takes one away. Or a picture of the
        size of the result.
        Options: preset, size, style_weight, content_weight, style_loss, content_loss, tv_weight,
        style_weights, style_scale, style_scales, style_size, color, color_match, steps,
        content_layers, style_layers, views, optimizer, pooling, init, tileable, network, seed,
        keep_state, timelapse, format, bit_depth.
        """
        return await self._submit(
            "style_transfer",
            {
                "content": content,
                "style": style,
                "style_masks": style_masks,
                "content_mask": content_mask,
                "content_weight_map": content_weight_map,
                "fine_style": fine_style,
                "init_image": init_image,
                "continue_from": continue_from,
                **options,
            },
        )

    async def deep_dream(
        self, image: Picture, guide: Picture | None = None, **options: Unpack[DeepDreamOptions]
    ) -> AsyncJob[DeepDreamResult]:
        """DeepDream: Exaggerate what a network sees in a picture, a zoom into it, or a clip.

        image: The picture to dream of, or a short clip.
        guide: Strengthen features that resemble those of this picture.
        Options: layers, channels, strongest, network, size, octaves, octave_scale, steps, strength,
        jitter, laplacian_levels, tone_shift, frames, zoom, rotation, blend, fps, format, variations,
        seed.
        """
        return await self._submit("deep_dream", {"image": image, "guide": guide, **options})

    async def class_visualization(
        self, target: str | int | Sequence[str | int], **options: Unpack[ClassVisualizationOptions]
    ) -> AsyncJob[ClassVisualizationResult]:
        """Class visualisation: What a network believes that a class looks like.

        target: One class or several of the network, by name or by index.
        Options: preset, network, size, variations, steps, parametrization, noise, transforms, looks,
        optimizer, step_size, l2_weight, p_weight, tv_weight, decay, blur, blur_every, seed, format,
        bit_depth.
        """
        return await self._submit("class_visualization", {"target": target, **options})

    async def feature_visualization(
        self, image: Picture | None = None, **options: Unpack[FeatureVisualizationOptions]
    ) -> AsyncJob[FeatureVisualizationResult]:
        """Feature visualisation: What a neuron, a channel or a layer of a network looks for, or sees in
        an example.

        image: Exaggerate what the layer sees in this picture; a square is cut out of its middle. For
        a caricature or a direction.
        Options: preset, network, size, variations, steps, parametrization, noise, transforms, looks,
        optimizer, step_size, l2_weight, p_weight, tv_weight, decay, blur, blur_every, seed, format,
        bit_depth, layer, objective, channels, terms, sign, diversity.
        """
        return await self._submit("feature_visualization", {"image": image, **options})

    async def feature_inversion(
        self, image: Picture, **options: Unpack[FeatureInversionOptions]
    ) -> AsyncJob[FeatureInversionResult]:
        """Feature inversion: What each layer of a network still knows of a picture.

        image: The picture to reconstruct from its features.
        Options: network, layers, size, steps, variations, p_weight, tv_weight, optimizer,
        parametrization, seed, format, bit_depth.
        """
        return await self._submit("feature_inversion", {"image": image, **options})

    async def texture_synthesis(
        self, image: Picture, **options: Unpack[TextureSynthesisOptions]
    ) -> AsyncJob[TextureSynthesisResult]:
        """Texture synthesis: More of a texture, in any size, and seamless if it is to be tiled.

        image: The picture whose texture is to go on.
        Options: size, aspect, seamless, source_size, steps, layers, tv_weight, pooling, network,
        variations, seed, format, bit_depth.
        """
        return await self._submit("texture_synthesis", {"image": image, **options})

    async def adversarial(
        self, image: Picture | None = None, **options: Unpack[AdversarialOptions]
    ) -> AsyncJob[AdversarialResult]:
        """Adversarial pictures: Change a picture a little, and a network takes it for something else.

        image: The picture to change; a square is cut out of its middle. Fooling pictures are made
        without; for the linear classifier one is drawn if there is none.
        Options: method, target, against, epsilon, steps, step_size, confidence, size, network,
        variations, seed.
        """
        return await self._submit("adversarial", {"image": image, **options})

    async def classify(
        self, image: Picture | None = None, images: Pictures | None = None, **options: Unpack[ClassifyOptions]
    ) -> AsyncJob[ClassifyResult]:
        """Classification: What is in a picture: the most likely classes with their probabilities.

        image: The picture.
        images: Pictures to classify, up to 100.
        Options: network, networks, crops, scales, size, temperature, dataset, top, ensemble, figure.
        """
        return await self._submit("classify", {"image": image, "images": images, **options})

    async def saliency(self, image: Picture, **options: Unpack[SaliencyOptions]) -> AsyncJob[SaliencyResult]:
        """Saliency: What in a picture a class, or a neuron, depends on.

        image: The picture to explain; the network sees the middle of it.
        Options: methods, target, layer, channel, position, cam_layer, network, size, samples, noise,
        nodes, baseline, seed.
        """
        return await self._submit("saliency", {"image": image, **options})

    async def occlusion(
        self, image: Picture, **options: Unpack[OcclusionOptions]
    ) -> AsyncJob[OcclusionResult]:
        """Occlusion: Hide one part of a picture after another, and see which of them a network needs.

        image: The picture, of which the middle square is used.
        Options: target, window, stride, fill, size, network.
        """
        return await self._submit("occlusion", {"image": image, **options})

    async def class_map(self, image: Picture, **options: Unpack[ClassMapOptions]) -> AsyncJob[ClassMapResult]:
        """Class map: Where in a large picture a classifier sees which class.

        image: The picture, of any shape; all of it is seen.
        Options: target, network, size.
        """
        return await self._submit("class_map", {"image": image, **options})

    async def activations(
        self, image: Picture, **options: Unpack[ActivationsOptions]
    ) -> AsyncJob[ActivationsResult]:
        """Activations: The maps of a layer for one picture: what each channel responds to, and where.

        image: The picture that the network is shown.
        Options: network, layer, layers, channels, order, limit, scale, size.
        """
        return await self._submit("activations", {"image": image, **options})

    async def filters(self, **options: Unpack[FiltersOptions]) -> AsyncJob[FiltersResult]:
        """Filters: The weights of a convolution as pictures, also of two networks side by side.

        Options: network, against, layer, part, channels, inputs, limit, scale.
        """
        return await self._submit("filters", {**options})

    async def max_patches(
        self, dataset: str, **options: Unpack[MaxPatchesOptions]
    ) -> AsyncJob[MaxPatchesResult]:
        """Strongest patches: The patches of a set that excite each channel of a layer the most, and what
        in them does.

        dataset: The pictures that patches are looked for in.
        Options: network, layer, channels, patches, limit, projection, size.
        """
        return await self._submit("max_patches", {"dataset": dataset, **options})

    async def embedding(
        self, dataset: str, image: Picture | None = None, **options: Unpack[EmbeddingOptions]
    ) -> AsyncJob[EmbeddingResult]:
        """Embedding: A map of a set, on which pictures that a network finds similar are neighbours.

        dataset: The pictures to arrange.
        image: A picture whose nearest neighbours in the set are looked for.
        Options: network, layer, method, perplexity, neighbors, probe, probe_layers, limit, size,
        seed.
        """
        return await self._submit("embedding", {"dataset": dataset, "image": image, **options})

    async def evaluate(self, dataset: str, **options: Unpack[EvaluateOptions]) -> AsyncJob[EvaluateResult]:
        """Evaluation: How often a network is right about pictures whose classes are known, and what it
        confuses.

        dataset: A set of pictures with labels.
        Options: network, networks, crops, scales, size, temperature, labels, shown.
        """
        return await self._submit("evaluate", {"dataset": dataset, **options})

    async def architecture(self, **options: Unpack[ArchitectureOptions]) -> AsyncJob[ArchitectureResult]:
        """Architecture: A network's layers in a table: sizes, parameters, multiply-adds, memory and
        receptive fields.

        Options: network, layers, input, rounding.
        """
        return await self._submit("architecture", {**options})

    async def gradient_check(self, **options: Unpack[GradientCheckOptions]) -> AsyncJob[GradientCheckResult]:
        """Gradient check: Whether backpropagation gives the gradient that differences of the loss give,
        layer by layer.

        Options: architecture, architecture_params, batch_norm, initialization, objective, margin,
        label_smoothing, l1, l2, size, classes, batch_size, samples, step, seed.
        """
        return await self._submit("gradient_check", {**options})

    async def train(self, dataset: str, **options: Unpack[TrainOptions]) -> AsyncJob[TrainResult]:
        """Training: From a set of labelled pictures to a network that every other kind can use.

        dataset: Pictures with labels: the classes.
        Options: preset, name, base, transfer, feature_layer, compare_layers, last_blocks, rate_decay,
        architecture, architecture_params, batch_norm, initialization, initial_std, size, objective,
        margin, embedding, label_smoothing, l1, l2, epochs, least_steps, batch_size, optimizer,
        learning_rate, find_learning_rate, momentum, weight_decay, schedule, warm_up, step_epochs,
        rate_factor, plateau_patience, average, metric, patience, min_delta, flip, crop, shift,
        rotation, distortion, color, cutout, mixup, cutmix, attack, restarts, folds, search, ensemble,
        seed.
        """
        return await self._submit("train", {"dataset": dataset, **options})

    async def learning_rate_range(
        self, dataset: str, **options: Unpack[LearningRateRangeOptions]
    ) -> AsyncJob[LearningRateRangeResult]:
        """Learning-rate range: The loss while the learning rate grows from far too low to far too high,
        and the rate to use.

        dataset: Pictures with labels: the classes.
        Options: preset, base, transfer, feature_layer, last_blocks, rate_decay, architecture,
        architecture_params, batch_norm, initialization, initial_std, size, objective, margin,
        embedding, label_smoothing, l1, l2, batch_size, optimizer, momentum, weight_decay, flip, crop,
        shift, rotation, distortion, color, cutout, mixup, cutmix, seed.
        """
        return await self._submit("learning_rate_range", {"dataset": dataset, **options})

    async def export_network(self, **options: Unpack[ExportNetworkOptions]) -> AsyncJob[ExportNetworkResult]:
        """Export as ONNX: A network as an ONNX model for other programs, with its normalisation and its
        labels inside.

        Options: network, size.
        """
        return await self._submit("export_network", {**options})

    async def pull_weights(
        self, network: str, **options: Unpack[PullWeightsOptions]
    ) -> AsyncJob[PullWeightsResult]:
        """Download of weights: Download the weights of a network that are published elsewhere, once.

        network: Name of the network.
        Options: none.
        """
        return await self._submit("pull_weights", {"network": network, **options})

    async def import_members(
        self, dataset: str, upload: str, **options: Unpack[ImportMembersOptions]
    ) -> AsyncJob[ImportMembersResult]:
        """Import into a set: Check the pictures of an uploaded ZIP, and add them to a set.

        dataset: An open set, by its name or id.
        upload: Which upload; the service says it.
        Options: label, close.
        """
        return await self._submit("import_members", {"dataset": dataset, "upload": upload, **options})

    async def make_dataset(
        self, dataset: str, **options: Unpack[MakeDatasetOptions]
    ) -> AsyncJob[MakeDatasetResult]:
        """Making of a built-in set: Draw the pictures of a built-in set, and close it.

        dataset: An open set, by its name or id.
        Options: none.
        """
        return await self._submit("make_dataset", {"dataset": dataset, **options})
