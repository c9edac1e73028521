"""PSNR and SSIM on BT.601 luma, written from the definitions with numpy and scipy; shares no code with us."""

import numpy as np
from scipy.ndimage import correlate1d


def luma(image):
    """Map uint8 RGB (H, W, 3) to float64 Y in [16, 235] (MATLAB rgb2ycbcr, unrounded)."""
    a = image.astype(np.float64)
    return 16.0 + (65.481 * a[..., 0] + 128.553 * a[..., 1] + 24.966 * a[..., 2]) / 255.0


def psnr(a, b):
    mse = np.mean((a - b) ** 2)
    return float("inf") if mse == 0 else 10 * np.log10(255.0**2 / mse)


def ssim(a, b):
    """Wang et al. 2004: 11x11 Gaussian, sigma 1.5, valid region, K1 0.01, K2 0.03, L 255."""
    g = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    g /= g.sum()

    def f(x):
        return correlate1d(correlate1d(x, g, axis=0), g, axis=1)[5:-5, 5:-5]

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ma, mb = f(a), f(b)
    va, vb, cab = f(a * a) - ma**2, f(b * b) - mb**2, f(a * b) - ma * mb
    return float(np.mean((2 * ma * mb + c1) * (2 * cab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))))


def score_y(a, b, border):
    """PSNR and SSIM of two uint8 RGB arrays of one size, on Y."""
    h, w = a.shape[:2]
    a, b = (luma(x)[border : h - border, border : w - border] for x in (a, b))
    return psnr(a, b), ssim(a, b)


def score_rgb(a, b, border):
    """PSNR over all three channels and the mean of their SSIMs."""
    h, w = a.shape[:2]
    a, b = (x[border : h - border, border : w - border].astype(np.float64) for x in (a, b))
    return psnr(a, b), float(np.mean([ssim(a[..., c], b[..., c]) for c in range(3)]))
