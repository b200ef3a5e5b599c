using Microsoft.ML.OnnxRuntime;
using Ocr;

Show("Recogniser", CompressedModels.Recogniser.ToArray(), CompressedModels.Recogniser.CreateSession());
Show("Classifier", CompressedModels.Classifier.ToArray(), CompressedModels.Classifier.CreateSession());
Show("Detector", CompressedModels.Detector.ToArray(), CompressedModels.Detector.CreateSession());
Show("Voice", CompressedModels.Voice.ToArray(), CompressedModels.Voice.CreateSession());

static void Show(string name, byte[] model, InferenceSession session)
{
    using (session)
        Console.WriteLine($"{name} {model.Length} {string.Join(' ', session.InputMetadata.Keys)}");
}
