using System.Globalization;
using Moirai.Contention;

double seconds = 1;
if (args.Length > 1 || (args is [{ } asked] && !(double.TryParse(asked, CultureInfo.InvariantCulture, out seconds) && seconds is > 0 and < 3_600)))
{
    await Console.Error.WriteLineAsync($"Takes one number, the seconds for each cell, above 0 and below 3600; not '{string.Join(' ', args)}'.");
    return 2;
}

int[] threads = [1, 2, 8, 64];
Console.WriteLine($"Threads that do nothing but use one shared place, {seconds:0.##} s each, {Environment.ProcessorCount} processors. ns: processor time an operation (wall time × processors in use / operations). taken: share of the gates that were found taken.");
Console.WriteLine();
Console.WriteLine($"| place | {string.Join(" | ", threads.Select(static count => $"{count}: ns | taken"))} |");
Console.WriteLine($"|---|{string.Concat(threads.Select(static _ => "---:|---:|"))}");
foreach (Place place in Place.All)
{
    Hammering.Run(place, 1, seconds / 4); // for the JIT
    string[] cells = [.. threads.Select(count => Hammering.Run(place, count, seconds).ToString())];
    Console.WriteLine($"| {place.Name} | {string.Join(" | ", cells)} |");
}

return 0;
