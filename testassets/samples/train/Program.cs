using System.Globalization;
using CompressOnBuild.Samples.Train;

// Makes one of the samples beside this folder: data, model, figures. Fewer steps are for trying out; what is committed used the default.
var steps = 0;
if (args.Length is < 2 or > 3 || args[0] is not ("shapes" or "tones") || (args.Length == 3 && (!int.TryParse(args[2], CultureInfo.InvariantCulture, out steps) || steps < 1)))
{
    Console.Error.WriteLine("usage: train shapes|tones OUTPUT_FOLDER [STEPS]");
    return 2;
}
var good = args[0] == "shapes" ? ShapeSample.Make(args[1], steps > 0 ? steps : 2400) : ToneSample.Make(args[1], steps > 0 ? steps : 1500);
return good ? 0 : 1;
