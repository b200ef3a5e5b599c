namespace CompressOnBuild.Calibration;

/// <summary>How activation ranges are found.</summary>
public enum CalibrationMethod { Auto, MinMax, Percentile, Mse }

/// <summary>Calibration of activations. <paramref name="Percentile"/> (50 to 100) is used by that method; <paramref name="Samples"/>: at most so many.</summary>
public sealed record RecipeCalibration(CalibrationMethod Method = CalibrationMethod.Auto, double Percentile = 99.999, int Samples = 100);
