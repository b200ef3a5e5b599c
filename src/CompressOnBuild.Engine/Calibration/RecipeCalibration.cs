namespace CompressOnBuild.Calibration;

/// <summary>How activation ranges are found.</summary>
public enum CalibrationMethod
{
    /// <summary>The one of the others with which the outputs are nearest to the original's on a few calibration samples.</summary>
    Auto,
    /// <summary>The smallest and the largest value seen.</summary>
    MinMax,
    /// <summary>The range that holds a given share of the values seen.</summary>
    Percentile,
    /// <summary>The range with the smallest mean squared error of quantization over the histogram of the values seen.</summary>
    Mse,
}

/// <summary>Calibration of activations.</summary>
/// <param name="Method">How ranges are found.</param>
/// <param name="Percentile">Share of the values inside the range, in percent (50 to 100), for <see cref="CalibrationMethod.Percentile"/>.</param>
/// <param name="Samples">Largest number of samples to run.</param>
public sealed record RecipeCalibration(CalibrationMethod Method = CalibrationMethod.Auto, double Percentile = 99.999, int Samples = 100);
