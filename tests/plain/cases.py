"""Golden files of the plain definition, in the format of the authors' golden files."""

import torch

from tests.golden import CRITICS, GENERATORS, gain_of, inputs_of, set_parameters, summary
from tests.plain.networks import PlainCritic, PlainGenerator
from tests.plain.training import plain_update_pair


def make_case(
    model_class, critic_class, shape, *, scoring_mode=None, objective="em", batch=4, steps=3, latent=5, encoder="direct"
):
    """Return the content of a golden file, computed by the plain definition in float64."""
    family, kind = GENERATORS[model_class], CRITICS[critic_class]
    case = {
        "case": f"{model_class}-{critic_class}-{scoring_mode}", "model_class": model_class, "critic_class": critic_class,
        "image_shape": list(shape), "latent_dim": latent, "time_steps": steps, "batch": batch,
        "scoring_mode": scoring_mode, "objective": objective, "lr_generator": 2e-4, "lr_discriminator": 2e-4,
    }  # fmt: skip
    generator = PlainGenerator(family, shape, latent, steps, scoring_mode or "none", encoder).double()
    critic = PlainCritic(kind, shape, steps, encoder).double()
    for part, module in (("generator", generator), ("discriminator", critic)):
        case[f"{part}_parameters"] = [[name, list(p.shape)] for name, p in module.named_parameters()]
        names = [name for name, _ in module.named_parameters()]
        set_parameters(module, names, lambda name, part=part: gain_of(name, part, kind, family, shape[1]))
    case["steps"] = list(_iterate(case, generator, critic))
    return case


def _iterate(case, generator, critic, iterations=2):
    real, z = inputs_of(case)
    optimisers = [
        torch.optim.RMSprop(generator.parameters(), lr=case["lr_generator"]),
        torch.optim.RMSprop(critic.parameters(), lr=case["lr_discriminator"]),
    ]
    for _ in range(iterations):
        result = plain_update_pair(generator, critic, *optimisers, real, z, case["objective"])
        shown = result.steps.mean(0) if generator.family == "sgan" and not generator.events else result.steps[-1]
        yield {
            "critic_real": result.critic_real.tolist(),
            "critic_fake": result.critic_fake.tolist(),
            "images": summary(shown),
            "images_per_step_sum": [frame.sum().item() for frame in result.images],
            "generator_loss": result.loss_generator,
            "generator_grads": {name: summary(g) for name, g in result.generator_grads.items()},
            "discriminator_grads": {name: summary(g) for name, g in result.discriminator_grads.items()},
            "generator_after": {name: summary(p) for name, p in generator.named_parameters()},
            "discriminator_after": {name: summary(p) for name, p in critic.named_parameters()},
            "running_stats": {
                f"{part}.{name}": {"mean": summary(m.running_mean), "var": summary(m.running_var)}
                for part, module in (("generator", generator), ("discriminator", critic))
                for name, m in module.named_modules()
                if name.startswith("norm")
            },
        }
