using System.Text;
using CompressOnBuild;
using CompressOnBuild.Worker;

// A redirected Windows console would speak its own code page; the build reads UTF-8.
try { Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false); }
catch (IOException) { } // no console at all
using var interruption = new Interruption();
return new CommandLine(Console.Out, Console.Error, (request, log, cancel) => request.Candidate is null ? Compressor.Run(request, log, cancel) : ModelComparison.Run(request, log, cancel), interruption).Run(args);
