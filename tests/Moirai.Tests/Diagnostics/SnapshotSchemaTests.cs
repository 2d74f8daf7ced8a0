using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Moirai.Diagnostics;

namespace Moirai.Tests.Diagnostics;

/// <summary>Issue 5, part 3: the JSON form is the one that docs/snapshot.md tells, property by property.</summary>
public sealed class SnapshotSchemaTests
{
    [Fact]
    public void The_documentation_tells_each_property_that_is_written_and_no_other() => Agree(ReadDocument());

    [Fact]
    public void The_documentation_tells_each_property_twin()
    {
        Twin.IsCaught(static () => Agree(ReadDocument().Replace("| `waited` | seconds? |", "| `waited` | number |", StringComparison.Ordinal)), "waited");
        Twin.IsCaught(static () => Agree(ReadDocument().Replace("| `holds` |", "| `held` |", StringComparison.Ordinal)), "holds");
    }

    [Fact]
    public void What_is_only_computed_from_the_rest_is_not_written()
    {
        string json = new World().Runtime.TakeSnapshot().ToJson();

        json.ShouldNotContain("isBalanced");
        json.ShouldNotContain("ended");
        json.ShouldContain("\"states\":{\"created\":0,\"ready\":0,\"running\":0,\"blocked\":0}");
    }

    [Fact]
    public void The_version_of_the_documentation_is_the_one_that_is_written() =>
        ReadDocument().ShouldContain($"The version is `schema`, now **{RuntimeSnapshot.CurrentSchema}**");

    [Fact]
    public void A_later_form_is_refused_and_more_properties_are_not()
    {
        string json = new World("one").Runtime.TakeSnapshot().ToJson();

        Should.Throw<NotSupportedException>(() => RuntimeSnapshot.FromJson(json.Replace("\"schema\":1", "\"schema\":2", StringComparison.Ordinal))).Message.ShouldContain("schema 2");
        RuntimeSnapshot.FromJson(json.Replace("\"schema\":1", "\"schema\":1,\"news\":[1,2]", StringComparison.Ordinal)).Runtime.ShouldBe("one");
        Should.Throw<JsonException>(static () => RuntimeSnapshot.FromJson("{}"));
        Should.Throw<JsonException>(() => RuntimeSnapshot.FromJson(json.Replace("\"duration\":", "\"duration\":1e20,\"took\":", StringComparison.Ordinal)));
        Should.Throw<JsonException>(() => RuntimeSnapshot.FromJson(json.Replace("\"duration\":", "\"duration\":1e300,\"took\":", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_is_written_to_a_stream_is_the_same_text()
    {
        RuntimeSnapshot snapshot = new World("stream").Runtime.TakeSnapshot();
        using var stream = new MemoryStream();

        await snapshot.WriteJsonAsync(stream, TestContext.Current.CancellationToken);

        System.Text.Encoding.UTF8.GetString(stream.ToArray()).ShouldBe(snapshot.ToJson());
    }

    private static void Agree(string document)
    {
        SortedDictionary<string, string> written = [];
        Collect(SnapshotJson.Default.RuntimeSnapshot, written, []);
        SortedDictionary<string, string> told = [];
        string? type = null;
        foreach (string line in document.Split('\n'))
        {
            if (line.StartsWith("### ", StringComparison.Ordinal))
            {
                type = line[4..].Trim();
            }
            else if (type is not null && line.StartsWith("| `", StringComparison.Ordinal))
            {
                string[] cells = line.Split('|', StringSplitOptions.TrimEntries);
                told[$"{type}.{cells[1].Trim('`')}"] = cells[2];
            }
        }

        told.ShouldBe(written);
    }

    private static void Collect(JsonTypeInfo type, SortedDictionary<string, string> properties, HashSet<Type> seen)
    {
        if (!seen.Add(type.Type))
        {
            return;
        }

        foreach (JsonPropertyInfo property in type.Properties.Where(property => IsWritten(type.Type, property)))
        {
            properties[$"{type.Type.Name}.{property.Name}"] = Word(property);
            JsonTypeInfo inner = SnapshotJson.Default.GetTypeInfo(ElementOf(property.PropertyType))!;
            if (inner.Kind == JsonTypeInfoKind.Object)
            {
                Collect(inner, properties, seen);
            }
        }
    }

    // What is only computed from the rest is not written.
    private static bool IsWritten(Type type, JsonPropertyInfo property) =>
        type.GetProperty(property.Name, BindingFlags.Instance | BindingFlags.Public | BindingFlags.IgnoreCase) is { CanWrite: true };

    private static string Word(JsonPropertyInfo property)
    {
        Type element = ElementOf(property.PropertyType);
        bool holdsNulls = IsList(property.PropertyType) && Nullable.GetUnderlyingType(element) is not null;
        element = holdsNulls ? Nullable.GetUnderlyingType(element)! : element;
        bool mayBeMissing = Nullable.GetUnderlyingType(property.PropertyType) is not null || (!property.PropertyType.IsValueType && property.IsGetNullable);
        string word = element == typeof(string) ? "string"
            : element == typeof(TimeSpan) ? "seconds"
            : element == typeof(TaskId) ? "id"
            : element == typeof(DateTimeOffset) ? "time"
            : element == typeof(bool) ? "boolean"
            : element == typeof(int) || element == typeof(long) ? "number"
            : element.Name;
        return (IsList(property.PropertyType) ? $"list of {word}{(holdsNulls ? " or null" : string.Empty)}" : word) + (mayBeMissing ? "?" : string.Empty);
    }

    private static bool IsList(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>);

    private static Type ElementOf(Type type) => IsList(type) ? type.GetGenericArguments()[0] : Nullable.GetUnderlyingType(type) ?? type;

    private static string ReadDocument()
    {
        DirectoryInfo? here = new(AppContext.BaseDirectory); // not the path of the source: a deterministic build has another
        while (here is not null && !File.Exists(Path.Combine(here.FullName, "Moirai.slnx")))
        {
            here = here.Parent;
        }

        return File.ReadAllText(Path.Combine(here.ShouldNotBeNull().FullName, "docs", "snapshot.md"));
    }
}
