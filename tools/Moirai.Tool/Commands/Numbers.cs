using System.CommandLine;
using System.Globalization;

namespace Moirai.Tool.Commands;

/// <summary>Options that are numbers. What is none, or out of bounds, is refused by the name of the option.</summary>
internal static class Numbers
{
    /// <summary>An option that is a whole number.</summary>
    /// <param name="name">Its name, and the letter for it.</param>
    /// <param name="bounds">The least and the most that it may be.</param>
    /// <param name="description">What it says.</param>
    /// <param name="help">What stands for the number in the help.</param>
    public static Option<int?> Whole((string Long, string Short) name, (int Least, int Most) bounds, string description, string help) => new(name.Long, name.Short)
    {
        Description = description,
        HelpName = help,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= bounds.Least && value <= bounds.Most)
            {
                return value;
            }

            result.AddError(string.Create(
                CultureInfo.InvariantCulture,
                $"{name.Long} is a whole number {(bounds.Most == int.MaxValue ? $"of at least {bounds.Least:N0}" : $"between {bounds.Least:N0} and {bounds.Most:N0}")}, not '{text}'."));
            return null;
        },
    };
}
