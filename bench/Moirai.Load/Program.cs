using Moirai.Load;

return await CommandLine.RunAsync(args);
