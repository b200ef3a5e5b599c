namespace CompressOnBuild.Calibration;

/// <summary>From what was observed of a value to the range that its quantization covers.</summary>
internal static class RangeEstimator
{
    /// <summary>
    /// The range of <paramref name="value"/> for uint8. <see cref="CalibrationMethod.Auto"/> is <see cref="CalibrationMethod.Mse"/> here,
    /// which equals min and max where nothing is gained by clipping; whoever can measure chooses (<see cref="CalibrationMethod"/>). A value without finite elements has the range [0, 0].
    /// </summary>
    /// <param name="value">Statistics of a floating-point value.</param>
    /// <param name="method">How the ends are chosen.</param>
    /// <param name="percentile">Share of the elements inside the range, in percent, for <see cref="CalibrationMethod.Percentile"/>.</param>
    public static ActivationRange Estimate(ValueStatistics value, CalibrationMethod method = CalibrationMethod.Auto, double percentile = 99.999)
    {
        if (value.Count == 0) return default;
        return method switch
        {
            CalibrationMethod.MinMax => new ActivationRange(value.Min, value.Max),
            CalibrationMethod.Percentile => PercentileRange.Of(value.Histogram, value.Min, value.Max, percentile),
            _ => MseRange.Of(value.Histogram, value.Min, value.Max),
        };
    }
}
