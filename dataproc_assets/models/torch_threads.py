"""The compute threads of torch, which are the whole process's."""

import torch


def use_threads(threads: int) -> None:
    """So many threads for an operation, and operations one after the other.

    On a CPU the last bits of an encoder's and a VAE's outputs are others with one thread than
    with several: the kernels then sum in another order.
    """
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:  # torch lets it be set once
        torch.set_num_interop_threads(1)
